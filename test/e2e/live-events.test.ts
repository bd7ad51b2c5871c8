// Real Chromium, real server, real memcached: what is changed elsewhere is seen at once, by one stream for all tabs.
import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { memcachedStore } from 'session-mirror/memcached'
import type { Store } from 'session-mirror/server'
import { type Memcached, startMemcached } from '../support/memcached.ts'
import { type App, after, startApp } from './app.ts'
import { launch, openPage } from './browser.ts'

let browser: Browser
let memcached: Memcached
let store: Store
let app: App
let context: BrowserContext

beforeAll(async () => {
  ;[browser, memcached] = await Promise.all([launch(), startMemcached()])
  store = memcachedStore({ servers: memcached.address })
  app = await startApp({ store })
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
  await store?.close()
  await memcached?.kill()
})
beforeEach(async () => {
  context = await browser.newContext()
  app.seen.length = 0
})
afterEach(() => context.close())

const streams = (): number => app.count('GET', '/session/events')

async function signedIn(where: BrowserContext): Promise<Page> {
  const page = await openPage(where, app.origin)
  await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'ada')
  return page
}

/** A request of the same session that no page of this browser sees: a webhook, another program. */
async function orderElsewhere(): Promise<void> {
  const cookies = await context.cookies(app.origin)
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const headers = { cookie, 'sec-fetch-site': 'same-origin' }
  expect((await fetch(`${app.origin}/api/order`, { method: 'POST', headers })).status).toBe(200)
}
const shows = (page: Page, orders: number): Promise<unknown> =>
  page.waitForFunction((count) => window.session.get('orders') === count, orders, { timeout: 10_000 })

test('a change made elsewhere is in both tabs by itself, through one stream', async () => {
  const a = await signedIn(context)
  const b = await openPage(context, app.origin)
  await expect.poll(streams).toBe(1)
  await orderElsewhere()
  await Promise.all([shows(a, 1), shows(b, 1)])
  await orderElsewhere()
  await Promise.all([shows(a, 2), shows(b, 2)])
  expect(streams()).toBe(1)
})

test('when the tab that holds the stream is closed or crashes, another one takes over', async () => {
  const a = await signedIn(context)
  await expect.poll(streams).toBe(1)
  const b = await openPage(context, app.origin)
  const c = await openPage(context, app.origin)
  await a.close()
  await expect.poll(streams).toBe(2)
  await orderElsewhere()
  await Promise.all([shows(b, 1), shows(c, 1)])
  const crashed = b.waitForEvent('crash')
  void (await context.newCDPSession(b)).send('Page.crash').catch(() => undefined)
  await crashed
  await b.close()
  await expect.poll(streams).toBe(3)
  await orderElsewhere()
  await shows(c, 2)
})

test('a page that was left and is come back to listens again', async () => {
  const page = await signedIn(context)
  await expect.poll(streams).toBe(1)
  await page.goto(`${app.origin}/session-worker.js`)
  await after(100)
  await page.goBack()
  await page.waitForFunction(() => window.session?.owner === 'ada')
  await expect.poll(streams).toBe(2)
  await orderElsewhere()
  await shows(page, 1)
})

test('signing out everywhere ends the session in another browser at once, and nobody else’s', async () => {
  const elsewhere = await browser.newContext()
  const stranger = await browser.newContext()
  const here = await signedIn(context)
  const there = await signedIn(elsewhere)
  const other = await openPage(stranger, app.origin)
  await other.evaluate(() => fetch('/api/sign-in?as=grace', { method: 'POST' }))
  await other.waitForFunction(() => window.session.owner === 'grace')
  await expect.poll(streams).toBe(3)
  const said = await here.evaluate(() => window.session.signOut({ everywhere: true }))
  expect(said).toEqual({ server: 'confirmed', everywhere: 'done' })
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  expect(await there.evaluate(() => window.session.owner)).toBeNull()
  expect(await there.evaluate(() => window.session.get('user'))).toBeUndefined()
  expect(await other.evaluate(() => window.session.owner)).toBe('grace')
  await Promise.all([elsewhere.close(), stranger.close()])
})

test('signing out everywhere without a network is done when there is one, also after a reload', async () => {
  const elsewhere = await browser.newContext()
  const here = await signedIn(context)
  const there = await signedIn(elsewhere)
  await context.route('**/session**', (route) => route.abort())
  const said = await here.evaluate(() => window.session.signOut({ everywhere: true }))
  expect(said).toEqual({ server: 'queued', everywhere: 'queued' })
  await here.reload()
  await here.evaluate(() => window.session.ready)
  expect(await there.evaluate(() => window.session.owner)).toBe('ada')
  await context.unroute('**/session**')
  await here.evaluate(() => window.session.pull())
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  await elsewhere.close()
})

test('ending the others leaves this one', async () => {
  const elsewhere = await browser.newContext()
  const here = await signedIn(context)
  const there = await signedIn(elsewhere)
  await here.evaluate(() => window.session.endOthers())
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  expect(await here.evaluate(() => window.session.owner)).toBe('ada')
  await elsewhere.close()
})
