// Real Chromium, real server: what is unsent when the last tab is closed goes out all the same (Background Sync).
import type { BrowserContext, CDPSession } from 'playwright'
import { expect } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { until } from '../support/waiting.ts'
import type { App } from './app.ts'
import { launch, openPage, untilSent } from './browser.ts'
import { test as base } from './fixtures.ts'

const test = base.extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
  const browser = await launch({ executablePath: chromiumPath })
  onCleanup(() => browser.close())
  return browser
})

test.override('appOptions', { freshSeconds: 2, rotateSeconds: 1 })

interface Place {
  readonly app: App
  readonly context: BrowserContext
}

/** Speaks to the browser from a page that has nothing to do with the app, which may have no page left. */
async function observer({ app, context }: Place): Promise<{ cdp: CDPSession; registrationId: () => string }> {
  const cdp = await context.newCDPSession(await context.newPage())
  let id = ''
  cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
    id = registrations.find(({ scopeURL }) => scopeURL.startsWith(app.origin))?.registrationId ?? id
  })
  await cdp.send('ServiceWorker.enable')
  return { cdp, registrationId: () => id }
}

/** As the browser does when it has a network again; it decides itself when that is. */
async function dispatchSync(place: Place): Promise<void> {
  const { cdp, registrationId } = await observer(place)
  await until('the browser tells of the registration', () => registrationId() !== '')
  const tag = 'session-mirror:/session'
  await cdp.send('ServiceWorker.dispatchSyncEvent', {
    origin: place.app.origin,
    registrationId: registrationId(),
    tag,
    lastChance: false,
  })
}

/** Waits in a page that has no session: the worker comes to its end before another page could send as well. */
async function untilWorkerIsDone({ app, context }: Place): Promise<void> {
  const page = await context.newPage()
  await page.goto(`${app.origin}/page.js`)
  await untilSent(page)
  await page.close()
}

async function onServer({
  app,
  context,
}: Place): Promise<{ owner: string | null; visits: number; note: string }> {
  const page = await context.newPage()
  await page.goto(app.origin)
  await page.evaluate(() => window.session.ready)
  await page.evaluate(() => window.session.pull())
  return page.evaluate(() => fetch('/api/me').then((response) => response.json()))
}

test('the browser itself calls the worker when a page could not send', async ({ app, signIn }) => {
  const page = await signIn()
  // Only the page is cut off: what arrives has come by the worker.
  await page.route('**/session/sync', (route) => route.abort())
  await page.evaluate(() => window.session.increment('visits'))
  await until('the worker sends', () => app.count('POST', '/session/sync') > 0)
  // The page learns it from the worker, and has nothing left to send.
  await page.waitForFunction(() => window.session.pending === 0 && window.session.get('visits') === 1)
})

test('writes of a tab that was closed offline arrive, all of them and once, without a page', async ({
  app,
  context,
  signIn,
}) => {
  const page = await signIn()
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
  await dispatchSync({ app, context })
  const sent = (): number => app.seen.slice(before).filter(({ path }) => path === '/session/sync').length
  await until('both batches are sent', () => sent() > 1)
  await untilWorkerIsDone({ app, context })
  const syncs = sent()
  expect(await onServer({ app, context })).toMatchObject({ owner: 'ada', visits: 5, note: 'written offline' })
  // The page that comes next finds everything settled, and sends nothing again.
  expect(sent()).toBe(syncs)
})

test('a sign-out of a tab that was closed offline reaches the server without a page', async ({
  app,
  context,
  signIn,
}) => {
  const page = await signIn()
  app.isDead = true
  await page.evaluate(() => window.session.signOut())
  await page.close()
  app.isDead = false
  await dispatchSync({ app, context })
  await until('the sign-out is sent', () => app.count('DELETE', '/session') > 0)
  await untilWorkerIsDone({ app, context })
  const asked = app.count('DELETE', '/session')
  expect(await onServer({ app, context })).toMatchObject({ owner: null })
  expect(app.count('DELETE', '/session')).toBe(asked)
})

test('nothing is lost when the server is still dead, and the next page sends it', async ({
  app,
  context,
  signIn,
}) => {
  const page = await signIn()
  app.isDead = true
  await page.evaluate(() => window.session.increment('visits').stored)
  await page.close()
  await dispatchSync({ app, context })
  app.isDead = false
  const next = await openPage(context, app.origin)
  await next.waitForFunction(() => window.session.pending === 0)
  expect(await next.evaluate(() => fetch('/api/me').then((response) => response.json()))).toMatchObject({
    visits: 1,
  })
})
