// Real Chromium, real server, real memcached: tabs, reloads and networks.
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import { until } from '../support/waiting.ts'
import { dumpStorage, openPage } from './browser.ts'
import { memcachedTest as test } from './fixtures.ts'

const get = (
  page: Page,
  path: string,
): Promise<{ user: string | null; owner: string | null; visits: number; note: string }> =>
  page.evaluate((url) => fetch(url).then((response) => response.json()), path)
const settled = (page: Page): Promise<unknown> => page.waitForFunction(() => window.session.pending === 0)

describe('tabs', () => {
  test('a key set in one tab appears in another, before and after the server has it', async ({
    app,
    context,
  }) => {
    const [a, b] = [await openPage(context, app.origin), await openPage(context, app.origin)]
    await a.evaluate(() => void window.session.set('note', 'from tab a'))
    await b.waitForFunction(() => window.session.get('note') === 'from tab a')
    await settled(b)
    expect((await get(b, '/api/me')).note).toBe('from tab a')
  })

  test('a change made on the server by a plain fetch reaches every tab by Session-Revision', async ({
    app,
    context,
  }) => {
    const [a, b] = [await openPage(context, app.origin), await openPage(context, app.origin)]
    await a.evaluate(() => window.session.set('theme', 'dark').acknowledged)
    await a.evaluate(() => fetch('/api/order', { method: 'POST' }))
    await Promise.all([a, b].map((page) => page.waitForFunction(() => window.session.get('orders') === 1)))
  })

  test('the new session is there when the answer of a plain fetch that signs in is there', async ({
    app,
    context,
  }) => {
    const page = await openPage(context, app.origin)
    const user = await page.evaluate(async () => {
      await fetch('/api/sign-in?as=ada', { method: 'POST' })
      return window.session.get('user')
    })
    expect(user).toBe('ada')
  })

  test('signing in as another user in tab B leaves nothing of the first in tab A or on disk, and A’s unsent write reaches nobody', async ({
    app,
    context,
  }) => {
    const [a, b] = [await openPage(context, app.origin), await openPage(context, app.origin)]
    await a.evaluate(() => fetch('/api/sign-in?as=ada-lovelace', { method: 'POST' }))
    await a.waitForFunction(() => window.session.owner === 'ada-lovelace')
    await a.evaluate(() => window.session.set('note', 'sent by ada-lovelace').acknowledged)
    await context.route('**/session/sync', (route) => route.abort())
    await a.evaluate(() => window.session.set('note', 'unsent of ada-lovelace').stored)
    expect(await dumpStorage(a)).toContain('unsent of ada-lovelace')

    await b.evaluate(() => fetch('/api/sign-in?as=grace', { method: 'POST' }))
    await a.waitForFunction(() => window.session.owner === 'grace')
    expect(
      await a.evaluate(() => JSON.stringify([window.session.inspect(), document.body.textContent])),
    ).not.toContain('ada-lovelace')
    expect(await dumpStorage(a)).not.toContain('ada-lovelace')

    await context.unroute('**/session/sync')
    await Promise.all([a, b].map((page) => page.evaluate(() => window.session.flush())))
    expect(await get(b, '/api/me')).toMatchObject({ owner: 'grace', note: '' })
  })
})

describe('without a network', () => {
  test('a reload shows the session: the app’s shell from its own worker, the session from the mirror', async ({
    app,
    context,
  }) => {
    const page = await openPage(context, app.origin, '/?shell')
    await page.evaluate(() => window.session.set('note', 'still here').acknowledged)
    await context.setOffline(true)
    await page.reload()
    await page.evaluate(() => window.session.ready)
    expect(await page.textContent('body')).toContain('still here')
    await page.waitForFunction(() => window.session.status.state === 'stale')
    await context.setOffline(false)
    await page.waitForFunction(() => window.session.status.state === 'live')
  })

  test('writes made offline in two tabs arrive once, without being asked', async ({ app, context }) => {
    const [a, b] = [await openPage(context, app.origin), await openPage(context, app.origin)]
    await a.evaluate(() => window.session.set('note', 'before').acknowledged)
    await context.setOffline(true)
    for (const page of [a, b]) {
      await page.evaluate(async () => {
        for (let count = 0; count < 25; count++) await window.session.increment('visits').stored
        await window.session.set('note', 'offline').stored
        await window.session.flush()
      })
    }
    await a.waitForFunction(() => window.session.get('visits') === 50, undefined, { timeout: 2000 })
    await context.setOffline(false)
    await Promise.all([settled(a), settled(b)])
    expect(await get(a, '/api/me')).toMatchObject({ visits: 50, note: 'offline' })
  })

  test('a page that writes one key many times while it closes leaves the last write to the next page', async ({
    app,
    context,
  }) => {
    for (let time = 1; time <= 3; time++) {
      const page = await openPage(context, app.origin)
      await context.route('**/session/sync', (route) => route.abort())
      await page.evaluate((round) => {
        addEventListener('pagehide', () => {
          for (let count = 1; count <= 200; count++) window.session.set('note', `${round}: ${count}`)
        })
      }, time)
      await page.goto(`${app.origin}/?next`)
      await page.evaluate(() => window.session.ready)
      expect(await page.evaluate(() => window.session.get('note'))).toBe(`${time}: 200`)
      await context.unroute('**/session/sync')
      await page.close()
    }
  })

  test('a tab that is closed with unsent writes leaves them to the next one', async ({ app, context }) => {
    const a = await openPage(context, app.origin)
    await a.evaluate(() => window.session.set('theme', 'dark').acknowledged)
    await context.route('**/session/sync', (route) => route.abort())
    await a.evaluate(() => void window.session.increment('visits', 7))
    await a.close()
    await context.unroute('**/session/sync')
    const b = await openPage(context, app.origin)
    await settled(b)
    expect((await get(b, '/api/me')).visits).toBe(7)
  })

  test('a write made right before its page is left arrives once, on the way out or at the next start', async ({
    app,
    context,
  }) => {
    for (const milliseconds of [0, 5, 15, 30, 60]) {
      const page = await openPage(context, app.origin, '/?no-worker')
      await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
      await page.evaluate((wait) => {
        window.session.increment('visits', 1)
        setTimeout(() => location.assign('/api/me'), wait)
      }, milliseconds)
      await page.waitForURL('**/api/me')
      await page.close()
    }
    const next = await openPage(context, app.origin, '/?no-worker')
    await settled(next)
    expect((await get(next, '/api/me')).visits).toBe(5)
  })
})

describe('servers that come and go', () => {
  test('a restart of the Node server is noticed by nobody', async ({ app, context }) => {
    const page = await openPage(context, app.origin)
    await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
    await app.restart()
    expect(await get(page, '/api/me')).toMatchObject({ owner: 'ada' })
    expect(await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)).toMatchObject({
      code: 'ok',
    })
    expect(await page.evaluate(() => window.session.status.state)).toBe('live')
  })

  test('a restart of memcached is reported as a loss with what was there, and a new session can begin', async ({
    app,
    context,
    memcached,
  }) => {
    const page = await openPage(context, app.origin)
    await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
    await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
    await memcached.restart()
    await page.evaluate(() => window.session.pull())
    // The first contact after a restart may find the old connection cut; that is `unavailable`, and tried again.
    await page.waitForFunction(() => window.session.status.state === 'lost')
    expect(await page.evaluate(() => window.session.status)).toEqual({
      state: 'lost',
      keys: ['theme', 'user'],
    })
    expect(await page.evaluate(() => window.session.owner)).toBeNull()
    expect(await page.evaluate(() => window.session.set('note', 'anew').acknowledged)).toMatchObject({
      code: 'ok',
    })
    expect(await get(page, '/api/me')).toMatchObject({ owner: null, note: 'anew' })
  })
})

describe('a store that does not answer', () => {
  test.override('storeTimeoutMilliseconds', 500)

  test('a frozen memcached is a 503 within its deadline; the mirror reads on, and the write goes through once it is back', async ({
    app,
    context,
    memcached,
  }) => {
    const page = await openPage(context, app.origin)
    await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
    await memcached.freeze()
    const [status, milliseconds, retryAfter] = await page.evaluate(async () => {
      const started = performance.now()
      const response = await fetch('/api/me')
      return [response.status, performance.now() - started, response.headers.get('retry-after')] as const
    })
    expect(status).toBe(503)
    expect(Number(retryAfter)).toBeGreaterThan(0)
    expect(milliseconds).toBeLessThan(1500)
    await page.evaluate(() => void window.session.increment('visits', 3))
    await page.waitForFunction(() => window.session.status.state === 'stale')
    expect(await page.evaluate(() => [window.session.get('theme'), window.session.get('visits')])).toEqual([
      'dark',
      3,
    ])
    memcached.thaw()
    await settled(page)
    expect((await get(page, '/api/me')).visits).toBe(3)
  })
})

describe('how often tabs ask', () => {
  test('a network that comes back is asked once by all tabs together', async ({ app, context, signIn }) => {
    const pages = [await signIn()]
    for (let count = 1; count < 6; count++) pages.push(await openPage(context, app.origin))
    await context.setOffline(true)
    await context.setOffline(false)
    await Promise.all(pages.map((page) => page.evaluate(() => window.session.flush())))
    const before = app.count('GET', '/session')
    await Promise.all(pages.map((page) => page.evaluate(() => void dispatchEvent(new Event('online')))))
    await until('one has asked', () => app.count('GET', '/session') > before)
    // The others have had their turn as well.
    await Promise.all(pages.map((page) => page.evaluate(() => window.session.flush())))
    expect(app.count('GET', '/session') - before).toBe(1)
  })

  test('somebody who looks at a page that has just asked sees what is new after a moment', async ({
    app,
    context,
    signIn,
  }) => {
    await context.route('**/session/events*', (route) => route.abort())
    const page = await signIn({ path: '/?no-worker' })
    await page.evaluate(() => window.session.pull())
    await page.evaluate(() => void dispatchEvent(new Event('focus')))
    // Nothing tells this page of it: the tab that did it knows no other.
    const other = await context.newPage()
    await other.goto(`${app.origin}/plain`)
    await other.evaluate(() => fetch('/api/order', { method: 'POST' }).then(() => undefined))
    await page.evaluate(() => void dispatchEvent(new Event('focus')))
    await page.waitForFunction(() => window.session.get('orders') === 1, undefined, { timeout: 10_000 })
  })
})
