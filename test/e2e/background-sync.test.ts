// Real Chromium, real server: what is unsent when the last tab is closed goes out all the same (Background Sync).
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { memoryStore } from 'session-mirror/memory'
import { type App, startApp } from './app.ts'
import { launch, openPage } from './browser.ts'

let browser: Browser
let app: App
let context: BrowserContext

beforeAll(async () => {
  browser = await launch()
  app = await startApp({ store: memoryStore(), freshSeconds: 2, rotateSeconds: 1 })
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
})
beforeEach(async () => {
  app.isDead = false
  context = await browser.newContext()
})
afterEach(() => context.close())

async function signedIn(): Promise<Page> {
  const page = await openPage(context, app.origin)
  await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'ada')
  return page
}

/** Speaks to the browser from a page that has nothing to do with the app, which may have no page left. */
async function observer(): Promise<{ cdp: CDPSession; registrationId: () => string }> {
  const cdp = await context.newCDPSession(await context.newPage())
  let id = ''
  cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
    id = registrations.find(({ scopeURL }) => scopeURL.startsWith(app.origin))?.registrationId ?? id
  })
  await cdp.send('ServiceWorker.enable')
  return { cdp, registrationId: () => id }
}

/** As the browser does when it has a network again; it decides itself when that is. */
async function dispatchSync(): Promise<void> {
  const { cdp, registrationId } = await observer()
  await vi.waitFor(() => expect(registrationId()).not.toBe(''))
  const tag = 'session-mirror:/session'
  await cdp.send('ServiceWorker.dispatchSyncEvent', {
    origin: app.origin,
    registrationId: registrationId(),
    tag,
    lastChance: false,
  })
}

const onServer = async (): Promise<{ owner: string | null; visits: number; note: string }> => {
  const page = await context.newPage()
  await page.goto(app.origin)
  await page.evaluate(() => window.session.ready)
  await page.evaluate(() => window.session.pull())
  return page.evaluate(() => fetch('/api/me').then((response) => response.json()))
}

test('the browser itself calls the worker when a page could not send', async () => {
  const page = await signedIn()
  // Only the page is cut off: what arrives has come by the worker.
  await page.route('**/session/sync', (route) => route.abort())
  await page.evaluate(() => window.session.increment('visits'))
  await vi.waitFor(() => expect(app.count('POST', '/session/sync')).toBeGreaterThan(0), { timeout: 20_000 })
  // The page learns it from the worker, and has nothing left to send.
  await page.waitForFunction(() => window.session.pending === 0 && window.session.get('visits') === 1)
})

test('writes of a tab that was closed offline arrive, all of them and once, without a page', async () => {
  const page = await signedIn()
  app.isDead = true
  await page.evaluate(async () => {
    for (let count = 0; count < 5; count++) {
      await window.session.increment('visits').stored
      await window.session.flush()
    }
    await window.session.set('note', 'written offline').stored
  })
  await page.close()
  app.isDead = false
  const before = app.seen.length
  await dispatchSync()
  await vi.waitFor(() =>
    expect(app.seen.slice(before).filter(({ path }) => path === '/session/sync').length).toBeGreaterThan(1),
  )
  const syncs = app.count('POST', '/session/sync')
  expect(await onServer()).toMatchObject({ owner: 'ada', visits: 5, note: 'written offline' })
  // The page that comes next finds everything settled, and sends nothing again.
  expect(app.count('POST', '/session/sync')).toBe(syncs)
})

test('a sign-out of a tab that was closed offline reaches the server without a page', async () => {
  const page = await signedIn()
  app.isDead = true
  await page.evaluate(() => window.session.signOut())
  await page.close()
  app.isDead = false
  await dispatchSync()
  await vi.waitFor(() => expect(app.count('DELETE', '/session')).toBeGreaterThan(0))
  const asked = app.count('DELETE', '/session')
  expect(await onServer()).toMatchObject({ owner: null })
  expect(app.count('DELETE', '/session')).toBe(asked)
})

test('with a server that is still dead nothing is lost, and the next page sends it', async () => {
  const page = await signedIn()
  app.isDead = true
  await page.evaluate(() => window.session.increment('visits').stored)
  await page.close()
  await dispatchSync()
  app.isDead = false
  const next = await openPage(context, app.origin)
  await next.waitForFunction(() => window.session.pending === 0)
  expect(await next.evaluate(() => fetch('/api/me').then((response) => response.json()))).toMatchObject({
    visits: 1,
  })
})
