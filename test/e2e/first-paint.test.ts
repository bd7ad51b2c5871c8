// Real Chromium, real localStorage: what a page can read in the tick in which it opens its session.
import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { memoryStore } from 'session-mirror/memory'
import { type App, startApp } from './app.ts'
import { dumpStorage, launch, openPage } from './browser.ts'

let browser: Browser
let app: App
let context: BrowserContext

beforeAll(async () => {
  browser = await launch()
  app = await startApp({ store: memoryStore() })
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
})
beforeEach(async () => {
  context = await browser.newContext()
})
afterEach(() => context.close())

/** A page whose session has an owner and a theme. */
async function signedIn(query = ''): Promise<Page> {
  const page = await openPage(context, app.origin, `/?shell&boot${query}`)
  await page.evaluate(async (isPublic) => {
    await fetch(`/api/sign-in?as=ada${isPublic ? '&public' : ''}`, { method: 'POST' })
    await window.session.set('theme', 'dark').acknowledged
  }, query.includes('public'))
  await page.waitForFunction(() => window.session.owner === 'ada')
  return page
}
async function reload(page: Page): Promise<unknown> {
  await page.reload()
  return page.evaluate(() => window.atOnce)
}

test('a reload reads the marked keys in its first tick, with and without a network', async () => {
  const page = await signedIn()
  expect(await reload(page)).toEqual(['ada', 'dark'])
  await context.setOffline(true)
  expect(await reload(page)).toEqual(['ada', 'dark'])
  await page.evaluate(() => window.session.ready)
  expect(await page.evaluate(() => window.session.get('user'))).toBe('ada')
})

test('after a sign-out in another tab a reload shows nothing, also when the sign-out is only queued', async () => {
  const [page, other] = [await signedIn(), await openPage(context, app.origin, '/?shell&boot')]
  await context.setOffline(true)
  expect(await other.evaluate(() => window.session.signOut())).toEqual({ server: 'queued' })
  expect(await reload(page)).toEqual([undefined, 'light'])
  await context.setOffline(false)
  await page.waitForFunction(() => window.session.inspect().local.mirror.leaving === null)
  expect(await reload(page)).toEqual([undefined, 'light'])
})

test('after a sign-out in a tab that copies nothing a reload shows nothing, and nothing is left on disk', async () => {
  const [page, other] = [await signedIn(), await openPage(context, app.origin, '/?shell')]
  await page.close()
  await other.evaluate(() => window.session.signOut())
  const next = await context.newPage()
  await next.goto(`${app.origin}/?shell&boot`)
  expect(await next.evaluate(() => window.atOnce)).toEqual([undefined, 'light'])
  expect(await dumpStorage(next)).not.toContain('ada')
})

test('after another user signed in in another tab a reload shows that one', async () => {
  const [page, other] = [await signedIn(), await openPage(context, app.origin, '/?shell&boot')]
  await other.evaluate(() => fetch('/api/sign-in?as=grace', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'grace')
  expect(await reload(page)).toEqual(['grace', 'light'])
})

test('a session that ends with the browser is not copied', async () => {
  const page = await signedIn('&public')
  expect(await reload(page)).toEqual([undefined, 'light'])
  await page.waitForFunction(() => window.session.owner === 'ada')
  expect(await page.evaluate(() => localStorage.length)).toBe(0)
})
