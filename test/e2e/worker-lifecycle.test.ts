// Real Chromium: the worker's life. Updates, other versions, kill switches, being stopped, a network that comes and goes.
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryStore } from 'session-mirror/memory'
import { bundle, script } from '../../scripts/build.ts'
import { counts } from '../support/counts.ts'
import { type App, after, startApp } from './app.ts'
import { launch, openPage, setTimes, stopWorkers } from './browser.ts'

const path = '/session-worker.js'
const freshSeconds = 2

let browser: Browser
let app: App
let context: BrowserContext
let current: string
let loads: number

beforeAll(async () => {
  browser = await launch()
  app = await startApp({ store: memoryStore(), freshSeconds, rotateSeconds: 1 })
  current = app.assets[path] ?? ''
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
})
beforeEach(async () => {
  app.assets[path] = current
  app.isDead = false
  app.delays.clear()
  context = await browser.newContext()
  loads = 0
  context.on('page', (page) => {
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame() && frame.url() !== 'about:blank') loads++
    })
  })
})
afterEach(() => context.close())

async function signedIn(open: () => Promise<Page> = () => openPage(context, app.origin)): Promise<Page> {
  const page = await open()
  await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'ada')
  return page
}
const ownerBy = (page: Page): Promise<{ status: number; owner: string | null }> =>
  page.evaluate(async () => {
    const response = await fetch('/api/me')
    return { status: response.status, owner: (await response.json()).owner }
  })
const order = (page: Page): Promise<number> =>
  page.evaluate(async () => (await fetch('/api/order', { method: 'POST' })).status)
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
  test('of the worker, older than the page: the page says so, works, and has the update without a reload', async () => {
    app.assets[path] = await workerOfFormat(0)
    const page = await signedIn()
    await page.waitForFunction(() => window.session.inspect().worker === 'older')
    const asked = app.count('GET', path)
    await after(500)
    // It asked for the newer script once, not in a loop.
    expect(app.count('GET', path) - asked).toBe(0)
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    // The worker passes the request by; the page does its own refreshing.
    await after(freshSeconds * 1000 + 200)
    const status = await page.evaluate(async () => (await window.session.fetch('/api/me')).status)
    expect(status).toBe(200)

    app.assets[path] = current
    const next = await openPage(context, app.origin)
    await Promise.all(
      [page, next].map((one) => one.waitForFunction(() => window.session.inspect().worker === 'controlling')),
    )
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    expect(loads).toBe(2)
  })

  test('of the worker, newer than the page: the page is told that it is outdated, and goes on', async () => {
    app.assets[path] = await workerOfFormat(2)
    const page = await signedIn()
    await page.waitForFunction(() => window.session.inspect().worker === 'newer')
    await page.waitForFunction(() => window.events.some((event) => (event as [string])[0] === 'outdated'))
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    await after(freshSeconds * 1000 + 200)
    const status = await page.evaluate(async () => (await window.session.fetch('/api/me')).status)
    expect([status, loads]).toEqual([200, 1])
  })

  test(`of the script, ${counts.scriptUpdates} times while pages are open: no reload, no failed request, nobody signed out`, async () => {
    const pages = [await signedIn(), await openPage(context, app.origin)]
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
    expect(loads).toBe(2)
  })
})

describe('taking the worker back', () => {
  test('by serving the retired script in its place: gone at the next load, also from a page that stays open', async () => {
    const page = await signedIn()
    app.assets[path] = await script('retired')
    const next = await context.newPage()
    await next.goto(`${app.origin}/?no-worker`)
    // The browser looks for a new script after each navigation, when the page has settled down.
    await vi.waitFor(async () => expect(await registrations(next)).toBe(0), { timeout: 20_000 })
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

  test('no session route can be registered as one', async () => {
    const page = await signedIn()
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

  test('leaves nothing in Cache Storage, and a page without a worker that works', async () => {
    const page = await signedIn()
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

test(`a worker that is stopped ${counts.workersEndedBetweenRequests} times, between and during requests, serves the next one`, async () => {
  const page = await signedIn()
  const bad: unknown[] = []
  for (let round = 0; round < counts.workersEndedBetweenRequests; round++) {
    if (round % 2 === 0) {
      // During: what becomes of this one is the browser's affair.
      app.delays.set('/api/me', 10)
      await page.evaluate(() => void fetch('/api/me').catch(() => undefined))
      await after(round % 13)
    }
    await stopWorkers(page)
    app.delays.clear()
    const answer = await ownerBy(page)
    if (answer.status !== 200 || answer.owner !== 'ada') bad.push([round, answer])
  }
  expect(bad).toEqual([])
})

test('a GET that left on what the worker remembered is sent anew when storage knows better', async () => {
  const page = await signedIn()
  await ownerBy(page)
  // As from a page that wrote it and died before it could tell: the worker hears of it from storage alone.
  await setTimes(page, { notedAt: 0, freshUntil: 3_600_000, epoch: 'AAAAAAAAAAAAAAAA' })
  await after(300)
  const before = app.seen.length
  await page.evaluate(() => fetch('/api/me'))
  const sent = app.seen.slice(before).filter((seen) => seen.path === '/api/me')
  expect(sent.map(({ epoch }) => epoch === 'AAAAAAAAAAAAAAAA')).toEqual([false, true])
  // And a request that changes something waits for storage, and is sent once.
  await page.evaluate(() => fetch('/api/order', { method: 'POST' }))
  expect(app.seen.filter((seen) => seen.path === '/api/order')).toHaveLength(1)
})

describe('what is not listed', () => {
  test('does not start a worker that is stopped: the browser’s own routes lead past it', async () => {
    const page = await signedIn()
    const cdp = await context.newCDPSession(page)
    const states: string[] = []
    cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }) =>
      states.push(...versions.map(({ runningStatus }) => runningStatus)),
    )
    await cdp.send('ServiceWorker.enable')
    await cdp.send('ServiceWorker.stopAllWorkers')
    await vi.waitFor(() => expect(states.at(-1)).toBe('stopped'))
    states.length = 0
    await page.evaluate(async () => {
      await fetch('/page.js')
      await fetch('/nothing')
    })
    await after(200)
    expect(states).toEqual([])
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
    expect(states).toContain('running')
  })

  test('is left as it is: no header, no credentials, no repetition', async () => {
    const page = await signedIn()
    await page.evaluate(() => fetch('/other', { credentials: 'omit' }))
    expect(app.seen.at(-1)).toMatchObject({ path: '/other', epoch: undefined, cookie: undefined })
  })
})

test('an API of another origin gets the cookie and the epoch, and is refreshed for as our own', async () => {
  const store = memoryStore()
  const shop = await startApp({ store, freshSeconds, rotateSeconds: 1 })
  const api = await startApp({ store, freshSeconds, rotateSeconds: 1, allowedOrigins: [shop.origin] })
  try {
    const query = `/?api=/api/,${encodeURIComponent(api.origin)}`
    const page = await signedIn(() => openPage(context, shop.origin, query))
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
    await after(freshSeconds * 1000 + 200)
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
  test('that is dead signs nobody out, and all is well when it is back', async () => {
    const page = await signedIn()
    app.isDead = true
    await after(freshSeconds * 1000 + 200)
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

  test('on which only the refresh fails: a cookie that is still good goes on serving', async () => {
    const page = await signedIn()
    await context.route('**/session/refresh', (route) => route.abort())
    // What the browser believes: near its end, and not over yet. What the server says: good for a second at least.
    await setTimes(page, { notedAt: -600_000, freshUntil: 500 })
    const before = app.count('POST', '/session/refresh')
    expect(await order(page)).toBe(200)
    // The route was cut off before the server: nothing arrived, and nobody minds.
    expect(app.count('POST', '/session/refresh')).toBe(before)
    await after(freshSeconds * 1000)
    expect((await ownerBy(page)).status).toBe(401)
    await context.unroute('**/session/refresh')
    expect(await page.evaluate(() => window.session.owner)).toBe('ada')
    expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
  })

  test('that is slow: requests wait for one refresh, and a cookie that is still good does not wait for long', async () => {
    const page = await signedIn()
    await after(freshSeconds * 1000 + 200)
    app.delays.set('/session/refresh', 3000)
    const before = app.count('POST', '/session/refresh')
    const answers = await Promise.all(Array.from({ length: 10 }, () => ownerBy(page)))
    expect(answers.every(({ owner }) => owner === 'ada')).toBe(true)
    expect(app.count('POST', '/session/refresh') - before).toBe(1)
  })

  test(`that comes and goes for ${counts.unsteadyNetworkSeconds} seconds while the page writes: each write once, nobody signed out`, async () => {
    const page = await signedIn()
    const end = Date.now() + counts.unsteadyNetworkSeconds * 1000
    const endings: string[] = []
    let written = 0
    while (Date.now() < end) {
      app.isDead = !app.isDead
      await after(30 + ((written * 37) % 170))
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

  test('on which the refresh hangs: what a good cookie still serves waits for it no longer than a second', async () => {
    const page = await signedIn()
    await setTimes(page, { notedAt: -600_000, freshUntil: 30_000 })
    app.delays.set('/session/refresh', 8000)
    const [before, started] = [app.count('POST', '/session/refresh'), Date.now()]
    // One that changes something: it waits for storage, which says that the end is near, and then for the refresh.
    expect(await order(page)).toBe(200)
    expect(Date.now() - started).toBeGreaterThan(900)
    expect(Date.now() - started).toBeLessThan(4000)
    expect(app.count('POST', '/session/refresh') - before).toBe(1)
  })
})

test('a request is not held by a lock that another page never gives back', async () => {
  const [page, other] = [await signedIn(), await openPage(context, app.origin)]
  await other.evaluate(() => {
    void navigator.locks.request('session-mirror:/session:refresh', () => new Promise(() => undefined))
    void navigator.locks.request('session-mirror:/session:sync', () => new Promise(() => undefined))
  })
  await after(freshSeconds * 1000 + 200)
  const started = Date.now()
  expect(await ownerBy(page)).toEqual({ status: 200, owner: 'ada' })
  expect(Date.now() - started).toBeLessThan(9000)
  expect(await stateOf(page)).toBe('controlling')
})
