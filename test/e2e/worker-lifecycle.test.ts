// Real Chromium: the worker's life. Updates, other versions, kill switches, being stopped, a network that comes and goes.
import { join } from 'node:path'
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import { memoryStore } from 'session-mirror/memory'
import { bundle, script } from '../../scripts/build.ts'
import { counts } from '../support/counts.ts'
import { sleep, until } from '../support/waiting.ts'
import { startApp } from './app.ts'
import { longFreshSeconds, openPage, outliveCookie, setTimes, stopWorkers } from './browser.ts'
import { type SignIn, test as base } from './fixtures.ts'

const path = '/session-worker.js'

const test = base
  // The worker's script as it is built.
  .extend('current', ({ app }) => app.assets[path] ?? '')
  // Loads of pages in this profile.
  .extend('loads', { auto: true }, ({ context }) => {
    const loads = { count: 0 }
    context.on('page', (page) => {
      page.on('framenavigated', (frame) => {
        if (frame === page.mainFrame() && frame.url() !== 'about:blank') loads.count++
      })
    })
    return loads
  })
  // Not by a plain fetch: a worker of another version lets that pass by.
  .extend(
    'signIn',
    ({ app: own, context }): SignIn =>
      async ({ app = own, path: to = '/', as = 'ada' } = {}) => {
        const page = await openPage(context, app.origin, to)
        await page.evaluate((url) => window.session.fetch(url, { method: 'POST' }), `/api/sign-in?as=${as}`)
        await page.waitForFunction((owner) => window.session.owner === owner, as)
        return page
      },
  )
test.override('appOptions', { freshSeconds: longFreshSeconds, rotateSeconds: 1 })

const ownerBy = (page: Page): Promise<{ status: number; owner: string | null }> =>
  page.evaluate(async () => {
    const response = await fetch('/api/me')
    return { status: response.status, owner: (await response.json()).owner }
  })
const order = (page: Page): Promise<number> =>
  page.evaluate(async () => (await fetch('/api/order', { method: 'POST' })).status)
/** The status of a POST, or `late` when a timer that the page has set at the same moment was quicker. */
const within = (page: Page, milliseconds: number, url: string): Promise<number | 'late'> =>
  page.evaluate(
    ([to, patience]) =>
      Promise.race([
        fetch(to, { method: 'POST' }).then(({ status }) => status),
        new Promise<'late'>((resolve) => setTimeout(resolve, patience, 'late')),
      ]),
    [url, milliseconds] as const,
  )
const registrations = (page: Page): Promise<number> =>
  page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)
const stateOf = (page: Page): Promise<string> => page.evaluate(() => window.session.inspect().worker)

/** Our worker as another version of this library would have it. */
function workerOfFormat(number: number): Promise<string> {
  const other = {
    name: 'another-format',
    transform: (code: string, id: string) =>
      id.endsWith('protocol/names.ts') ? code.replace('format = 1', `format = ${number}`) : undefined,
  }
  const entry = join(import.meta.dirname, '../../src/session-worker.ts')
  return bundle(entry, { minify: false, format: 'iife', plugins: [other] })
}

describe('another version', () => {
  test('a page with an older worker says so, works, and has the update without a reload', async ({
    app,
    context,
    current,
    loads,
    signIn,
  }) => {
    app.assets[path] = await workerOfFormat(0)
    const page = await signIn()
    await page.waitForFunction(() => window.session.inspect().worker === 'older')
    // Once to register it, once for a newer one; not in a loop.
    await until('the page has asked for a newer script', () => app.count('GET', path) > 1)
    await sleep(500)
    expect(app.count('GET', path)).toBe(2)
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    // The worker passes the request by; the page does its own refreshing.
    await outliveCookie(app, page)
    const status = await page.evaluate(async () => (await window.session.fetch('/api/me')).status)
    expect(status).toBe(200)

    app.assets[path] = current
    const next = await openPage(context, app.origin)
    await Promise.all(
      [page, next].map((one) => one.waitForFunction(() => window.session.inspect().worker === 'controlling')),
    )
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    expect(loads.count).toBe(2)
  })

  test('a page with a newer worker is told that it is outdated, and goes on', async ({
    app,
    loads,
    signIn,
  }) => {
    app.assets[path] = await workerOfFormat(2)
    const page = await signIn()
    await page.waitForFunction(() => window.session.inspect().worker === 'newer')
    await page.waitForFunction(() => window.events.some((event) => (event as [string])[0] === 'outdated'))
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    await outliveCookie(app, page)
    const status = await page.evaluate(async () => (await window.session.fetch('/api/me')).status)
    expect([status, loads.count]).toEqual([200, 1])
  })

  test(`a new script, ${counts.scriptUpdates} times while pages are open, causes no reload, fails no request and signs nobody out`, async ({
    app,
    context,
    current,
    loads,
    signIn,
  }) => {
    const pages = [await signIn(), await openPage(context, app.origin)]
    const bad: unknown[] = []
    for (let version = 0; version < counts.scriptUpdates; version++) {
      app.assets[path] = `${current}\n// version ${version}`
      const [page] = pages
      const answers = await Promise.all([
        page?.evaluate(async () => void (await (await navigator.serviceWorker.getRegistration())?.update())),
        ...pages.flatMap((one) => Array.from({ length: 5 }, () => ownerBy(one))),
      ])
      bad.push(...answers.slice(1).filter((answer) => answer?.owner !== 'ada'))
    }
    expect(bad).toEqual([])
    expect(loads.count).toBe(2)
  })
})

describe('taking the worker back', () => {
  test('a worker in whose place the retired script is served is gone at the next load, also from a page that stays open', async ({
    app,
    context,
    signIn,
  }) => {
    const page = await signIn()
    app.assets[path] = await script('retired')
    const next = await context.newPage()
    await next.goto(`${app.origin}/?no-worker`)
    // The browser looks for a new script after each navigation, when the page has settled down.
    await until('the worker is gone', async () => (await registrations(next)) === 0)
    // The page that is still open: its plain requests pass by, its own `session.fetch` goes on as before.
    const old = app.seen.length
    await ownerBy(page)
    expect(app.seen.slice(old).find((seen) => seen.path === '/api/me')?.epoch).toBeUndefined()
    expect(await page.evaluate(async () => (await window.session.fetch('/api/me')).status)).toBe(200)
    await next.reload()
    expect(await next.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
    await next.waitForFunction(() => window.session?.status.state === 'live')
    expect(await next.evaluate(() => window.session.owner)).toBe('ada')
  })

  test('no session route can be registered as one', async ({ signIn }) => {
    const page = await signIn()
    const refused = await page.evaluate(() =>
      Promise.all(
        ['/session', '/session/events', '/session/diagnosis?probe=AAAAbbbbCCCCdddd'].map((url) =>
          navigator.serviceWorker.register(url, { scope: '/session/none' }).then(
            () => 'registered',
            (error: Error) => error.name,
          ),
        ),
      ),
    )
    expect(refused).toEqual(['TypeError', 'TypeError', 'TypeError'])
  })

  test('an unregistered worker leaves nothing in Cache Storage, and the page works without it', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    await ownerBy(page)
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.unregister())
    await page.goto(`${app.origin}/?no-worker`)
    await page.waitForFunction(() => window.session?.status.state === 'live')
    const left = await page.evaluate(async () => [
      navigator.serviceWorker.controller,
      (await navigator.serviceWorker.getRegistrations()).length,
      await caches.keys(),
    ])
    expect(left).toEqual([null, 0, []])
    expect(await page.evaluate(async () => (await window.session.fetch('/api/me')).status)).toBe(200)
  })
})

test(`a worker that is stopped ${counts.workersEndedBetweenRequests} times, between and during requests, serves the next one`, async ({
  app,
  signIn,
}) => {
  const page = await signIn()
  const bad: unknown[] = []
  for (let round = 0; round < counts.workersEndedBetweenRequests; round++) {
    if (round % 2 === 0) {
      // During: what becomes of this one is the browser's affair.
      app.delays.set('/api/me', 10)
      await page.evaluate(() => void fetch('/api/me').catch(() => undefined))
      await sleep(round % 13)
    }
    await stopWorkers(page)
    app.delays.clear()
    const answer = await ownerBy(page)
    if (answer.status !== 200 || answer.owner !== 'ada') bad.push([round, answer])
  }
  expect(bad).toEqual([])
})

test('a GET that left on what the worker remembered is sent anew when storage knows better', async ({
  app,
  signIn,
}) => {
  const page = await signIn()
  await ownerBy(page)
  // As from a page that wrote it and died before it could tell: the worker hears of it from storage alone.
  await setTimes(page, { notedAt: 0, freshUntil: 3_600_000, epoch: 'AAAAAAAAAAAAAAAA' })
  // What it has read is not recent then.
  await sleep(300)
  const before = app.seen.length
  await page.evaluate(() => fetch('/api/me'))
  const sent = app.seen.slice(before).filter((seen) => seen.path === '/api/me')
  expect(sent.map(({ epoch }) => epoch === 'AAAAAAAAAAAAAAAA')).toEqual([false, true])
  // And a request that changes something waits for storage, and is sent once.
  await page.evaluate(() => fetch('/api/order', { method: 'POST' }))
  expect(app.seen.filter((seen) => seen.path === '/api/order')).toHaveLength(1)
})

describe('what is not listed', () => {
  test('a request that is not listed does not start a stopped worker: the browser’s own routes lead past it', async ({
    context,
    signIn,
  }) => {
    const page = await signIn()
    const cdp = await context.newCDPSession(page)
    const states: string[] = []
    cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) =>
      states.push(...versions.map(({ runningStatus }) => runningStatus)),
    )
    await cdp.send('ServiceWorker.enable')
    await cdp.send('ServiceWorker.stopAllWorkers')
    await until('the worker is stopped', () => states.at(-1) === 'stopped')
    states.length = 0
    await page.evaluate(async () => {
      await fetch('/page.js')
      await fetch('/nothing')
    })
    await sleep(200)
    expect(states.filter((state) => state !== 'stopped')).toEqual([])
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    await until('the worker runs', () => states.includes('running'))
  })

  test('a request that is not listed is left as it is: no header, no credentials, no repetition', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    await page.evaluate(() => fetch('/other', { credentials: 'omit' }))
    const sent = app.seen.filter((seen) => seen.path === '/other')
    expect(sent).toMatchObject([{ epoch: undefined, cookie: undefined }])
  })
})

test('an API of another origin gets the cookie and the epoch, and is refreshed for as our own', async ({
  signIn,
}) => {
  const store = memoryStore()
  const options = { store, freshSeconds: longFreshSeconds, rotateSeconds: 1 }
  const shop = await startApp(options)
  const api = await startApp({ ...options, allowedOrigins: [shop.origin] })
  try {
    const query = `/?api=/api/,${encodeURIComponent(api.origin)}`
    const page = await signIn({ app: shop, path: query })
    const ask = (count: number): Promise<string[]> =>
      page.evaluate(
        ([origin, many]) =>
          Promise.all(
            Array.from({ length: many }, async () => (await (await fetch(`${origin}/api/me`)).json()).owner),
          ),
        [api.origin, count] as const,
      )
    expect(await ask(1)).toEqual(['ada'])
    const { epoch } = await page.evaluate(() => window.session.inspect().local.mirror)
    expect(api.seen.find(({ method, path: to }) => method === 'GET' && to === '/api/me')).toMatchObject({
      epoch,
      site: 'same-site',
      cookie: expect.stringContaining('session='),
    })
    await outliveCookie(shop, page)
    const before = shop.count('POST', '/session/refresh')
    expect(await ask(10)).toEqual(Array.from({ length: 10 }, () => 'ada'))
    expect(shop.count('POST', '/session/refresh') - before).toBe(1)
    // One that is not listed gets neither.
    const foreign = await startApp({ store: memoryStore(), allowedOrigins: [shop.origin] })
    await page.evaluate((origin) => fetch(`${origin}/api/me`).catch(() => undefined), foreign.origin)
    expect(foreign.seen.at(-1)).toMatchObject({ epoch: undefined, cookie: undefined })
    await foreign.close()
  } finally {
    await Promise.all([shop.close(), api.close()])
  }
})

describe('a network', () => {
  test('a dead network signs nobody out, and all is well when it is back', async ({ app, signIn }) => {
    const page = await signIn()
    await outliveCookie(app, page)
    app.isDead = true
    const failed = await page.evaluate(async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => fetch('/api/me')))
      return outcomes.map(({ status }) => status)
    })
    expect(new Set(failed)).toEqual(new Set(['rejected']))
    expect(await page.evaluate(() => window.session.owner)).toBe('ada')
    app.isDead = false
    // The cool-down after the failed refresh is no reason to meet an expired session.
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
  })

  test('a cookie that is still good goes on serving where only the refresh fails', async ({
    app,
    context,
    signIn,
  }) => {
    const page = await signIn()
    await context.route('**/session/refresh', (route) => route.abort())
    // What the browser believes: near its end, and not over yet. What the server says: good for minutes.
    await setTimes(page, { notedAt: -600_000, freshUntil: 500 })
    const before = app.count('POST', '/session/refresh')
    expect(await order(page)).toBe(200)
    // The route was cut off before the server: nothing arrived, and nobody minds.
    expect(app.count('POST', '/session/refresh')).toBe(before)
    await outliveCookie(app, page)
    expect((await ownerBy(page)).status).toBe(401)
    await context.unroute('**/session/refresh')
    expect(await page.evaluate(() => window.session.owner)).toBe('ada')
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
  })

  test('ten requests at a stale cookie wait for one slow refresh', async ({ app, signIn }) => {
    const page = await signIn()
    await outliveCookie(app, page)
    app.delays.set('/session/refresh', 3000)
    const before = app.count('POST', '/session/refresh')
    const answers = await Promise.all(Array.from({ length: 10 }, () => ownerBy(page)))
    expect(answers.every(({ owner }) => owner === 'ada')).toBe(true)
    expect(app.count('POST', '/session/refresh') - before).toBe(1)
  })

  test(`a network that comes and goes for ${counts.unsteadyNetworkSeconds} seconds while the page writes loses and doubles no write and signs nobody out`, async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    const end = Date.now() + counts.unsteadyNetworkSeconds * 1000
    const endings: string[] = []
    let written = 0
    while (Date.now() < end) {
      app.isDead = !app.isDead
      await sleep(30 + ((written * 37) % 170))
      written++
      const state = await page.evaluate(() => {
        window.session.increment('visits')
        void fetch('/api/me').catch(() => undefined)
        return window.session.status.state
      })
      endings.push(state)
    }
    app.isDead = false
    await page.waitForFunction(() => window.session.pending === 0)
    expect(endings.filter((state) => state === 'signed-out' || state === 'lost')).toEqual([])
    const seen = await page.evaluate(() =>
      window.session.fetch('/api/me').then((response) => response.json()),
    )
    expect(seen).toMatchObject({ owner: 'ada', visits: written })
  })

  test('a request that a good cookie still serves does not wait for a refresh that hangs', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    await setTimes(page, { notedAt: -600_000, freshUntil: 30_000 })
    const held = app.hold('/session/refresh')
    const before = app.seen.length
    // One that changes something: it waits for storage, which says that the end is near, and then for the refresh.
    expect(await within(page, 4000, '/api/order')).toBe(200)
    expect(held.waiting).toBe(1)
    held.release()
    const sent = app.seen.slice(before).map((seen) => seen.path)
    expect(sent.filter((one) => one === '/session/refresh' || one === '/api/order')).toEqual([
      '/session/refresh',
      '/api/order',
    ])
  })
})

test('a request is not held by a lock that another page never gives back', async ({
  app,
  context,
  signIn,
}) => {
  const [page, other] = [await signIn(), await openPage(context, app.origin)]
  await outliveCookie(app, page, other)
  await other.evaluate(() => {
    void navigator.locks.request('session-mirror:/session:refresh', () => new Promise(() => undefined))
    void navigator.locks.request('session-mirror:/session:sync', () => new Promise(() => undefined))
  })
  expect(await within(page, 9000, '/api/me')).toBe(200)
  expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
  expect(await stateOf(page)).toBe('controlling')
})
