// Real Chromium, real server, real memcached: what is changed elsewhere is seen at once, by one stream for all tabs.
import type { BrowserContext, Page } from 'playwright'
import { expect } from 'vitest'
import { sleep, until } from '../support/waiting.ts'
import type { App } from './app.ts'
import { newContext, openPage } from './browser.ts'
import { memcachedTest as test } from './fixtures.ts'

const streams = (app: App): number => app.count('GET', '/session/events')

/** A request of the same session that no page of this browser sees: a webhook, another program. */
async function orderElsewhere(app: App, context: BrowserContext): Promise<void> {
  const cookies = await context.cookies(app.origin)
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const headers = { cookie, 'sec-fetch-site': 'same-origin' }
  expect((await fetch(`${app.origin}/api/order`, { method: 'POST', headers })).status).toBe(200)
}
const shows = (page: Page, orders: number): Promise<unknown> =>
  page.waitForFunction((count) => window.session.get('orders') === count, orders)

test('a change made elsewhere is in both tabs by itself, through one stream', async ({
  app,
  context,
  signIn,
}) => {
  const a = await signIn()
  const b = await openPage(context, app.origin)
  await expect.poll(() => streams(app)).toBe(1)
  await orderElsewhere(app, context)
  await Promise.all([shows(a, 1), shows(b, 1)])
  await orderElsewhere(app, context)
  await Promise.all([shows(a, 2), shows(b, 2)])
  expect(streams(app)).toBe(1)
})

test('another tab takes over the stream when the one that holds it is closed or crashes', async ({
  app,
  context,
  signIn,
}) => {
  const a = await signIn()
  await expect.poll(() => streams(app)).toBe(1)
  const b = await openPage(context, app.origin)
  const c = await openPage(context, app.origin)
  await a.close()
  await expect.poll(() => streams(app)).toBe(2)
  await orderElsewhere(app, context)
  await Promise.all([shows(b, 1), shows(c, 1)])
  const crashed = b.waitForEvent('crash')
  void (await context.newCDPSession(b)).send('Page.crash').catch(() => undefined)
  await crashed
  await b.close()
  await expect.poll(() => streams(app)).toBe(3)
  await orderElsewhere(app, context)
  await shows(c, 2)
})

test('a page that was left and is come back to listens again', async ({ app, context, signIn }) => {
  const page = await signIn()
  await expect.poll(() => streams(app)).toBe(1)
  await page.goto(`${app.origin}/session-worker.js`)
  await sleep(100)
  await page.goBack()
  await page.waitForFunction(() => window.session?.owner === 'ada')
  await expect.poll(() => streams(app)).toBe(2)
  await orderElsewhere(app, context)
  await shows(page, 1)
})

test('signing out everywhere ends the session in another browser at once, and nobody else’s', async ({
  app,
  browser,
  signIn,
}) => {
  const elsewhere = await newContext(browser)
  const stranger = await newContext(browser)
  const here = await signIn()
  const there = await signIn({ context: elsewhere })
  const other = await openPage(stranger, app.origin)
  await other.evaluate(() => fetch('/api/sign-in?as=grace', { method: 'POST' }))
  await other.waitForFunction(() => window.session.owner === 'grace')
  await until('each browser has its stream', () => streams(app) >= 3)
  const said = await here.evaluate(() => window.session.signOut({ everywhere: true }))
  expect(said).toEqual({ server: 'confirmed', device: 'clean', everywhere: 'done' })
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  expect(await there.evaluate(() => window.session.owner)).toBeNull()
  expect(await there.evaluate(() => window.session.get('user'))).toBeUndefined()
  expect(await other.evaluate(() => window.session.owner)).toBe('grace')
  await Promise.all([elsewhere.close(), stranger.close()])
})

test('signing out everywhere without a network is done when there is one, also after a reload', async ({
  browser,
  context,
  signIn,
}) => {
  const elsewhere = await newContext(browser)
  const here = await signIn()
  const there = await signIn({ context: elsewhere })
  await context.route('**/session**', (route) => route.abort())
  const said = await here.evaluate(() => window.session.signOut({ everywhere: true }))
  expect(said).toEqual({ server: 'queued', device: 'clean', everywhere: 'queued' })
  await here.reload()
  await here.evaluate(() => window.session.ready)
  expect(await there.evaluate(() => window.session.owner)).toBe('ada')
  await context.unroute('**/session**')
  await here.evaluate(() => window.session.pull())
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  await elsewhere.close()
})

test('ending the other sessions leaves this one', async ({ browser, signIn }) => {
  const elsewhere = await newContext(browser)
  const here = await signIn()
  const there = await signIn({ context: elsewhere })
  await here.evaluate(() => window.session.endOthers())
  await there.waitForFunction(() => window.session.status.state === 'signed-out')
  expect(await here.evaluate(() => window.session.owner)).toBe('ada')
  await elsewhere.close()
})
