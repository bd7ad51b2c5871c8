// Real Chromium: `session.diagnose()` at the bedside of every mistake that it knows.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import type { Finding } from 'session-mirror'
import { memoryStore } from 'session-mirror/memory'
import { workerScript } from '../../scripts/build.ts'
import { startApp } from './app.ts'
import { launch, openPage } from './browser.ts'
import { test as base } from './fixtures.ts'

const path = '/session-worker.js'

const test = base
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    // A name that is not the machine's own, for what browsers do on plain http.
    const browser = await launch({ args: ['--host-resolver-rules=MAP shop.test 127.0.0.1'] })
    onCleanup(() => browser.close())
    return browser
  })
  // The worker's script as it should be.
  .extend('current', ({ app }) => app.assets[path] ?? '')
  // A server of another origin that allows the app's.
  .extend('foreign', async ({ app }, { onCleanup }) => {
    const foreign = await startApp({ store: memoryStore(), allowedOrigins: [app.origin] })
    onCleanup(() => foreign.close())
    return foreign
  })
  // Opens the test page and does not expect anything of it.
  .extend('open', ({ app, context }) => async (query = '', origin = app.origin): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${origin}/${query}`)
    await page.evaluate(() => window.session.ready)
    return page
  })
test.override('appOptions', { allowedOrigins: ['http://127.0.0.1:1'] })

const diagnose = (page: Page): Promise<readonly Finding[]> => page.evaluate(() => window.session.diagnose())
async function codes(page: Page): Promise<string[]> {
  const findings = await diagnose(page)
  // Each says what was found and what to do about it.
  for (const { message, advice } of findings)
    expect([message.length > 10, advice.length > 20]).toEqual([true, true])
  return findings.map(({ code }) => code)
}
const settled = (page: Page): Promise<unknown> =>
  page.waitForFunction(() => !['none', 'registering'].includes(window.session.inspect().worker))
const script =
  (body: string, headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse): void =>
    void response
      .writeHead(200, { 'content-type': 'text/javascript', 'service-worker-allowed': '/', ...headers })
      .end(body)
const html = script('<!doctype html>', { 'content-type': 'text/html; charset=utf-8' })

test('the doctor finds nothing where all is well, with and without a worker, signed in and not', async ({
  app,
  context,
  open,
}) => {
  const page = await openPage(context, app.origin)
  expect(await diagnose(page)).toEqual([])
  await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'ada')
  await page.evaluate(() => fetch('/api/me'))
  expect(await diagnose(page)).toEqual([])
  expect(await diagnose(await open('?no-worker'))).toEqual([])
  // It leaves nothing behind.
  expect((await context.cookies()).filter(({ name }) => name.includes('probe'))).toEqual([])
})

describe('the worker’s script', () => {
  test('a missing worker script is found', async ({ app, open }) => {
    delete app.assets[path]
    expect(await codes(await open())).toEqual(['worker-missing'])
  })
  test('a worker script that is the single-page fallback is found', async ({ app, open }) => {
    app.others.set(path, html)
    expect(await codes(await open())).toEqual(['worker-type'])
  })
  test('a redirected worker script is found', async ({ app, open }) => {
    app.others.set(path, (_request, response) => response.writeHead(302, { location: '/elsewhere.js' }).end())
    expect(await codes(await open())).toEqual(['worker-redirected'])
  })
  test('a worker script of another origin that does not answer is found', async ({ open }) => {
    expect(await codes(await open('?worker=http://localhost:1/session-worker.js'))).toEqual([
      'worker-unreachable',
    ])
  })
  test('a scope that is refused because Service-Worker-Allowed is missing is found', async ({
    app,
    current,
    open,
  }) => {
    app.others.set('/assets/worker.js', (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(current),
    )
    expect(await codes(await open('?worker=/assets/worker.js&scope=/'))).toEqual(['worker-scope'])
  })
  test('a scope that leaves this page out is found, with the one that the server allows', async ({
    app,
    current,
    open,
  }) => {
    app.others.set('/assets/worker.js', script(current))
    const page = await open('?worker=/assets/worker.js')
    const [finding] = await diagnose(page)
    expect(finding?.code).toBe('worker-scope')
    expect(finding?.advice).toContain('The server allows /: give `worker.scope`.')
  })
  test('a worker script that caches may keep is found', async ({ app, context, current }) => {
    app.others.set(path, script(current, { 'cache-control': 'public, max-age=31536000' }))
    expect(await codes(await openPage(context, app.origin))).toEqual(['worker-cached'])
  })
  test('a worker script that throws is found', async ({ app, open }) => {
    app.others.set(path, script('throw new Error("broken")', { 'cache-control': 'no-cache' }))
    const page = await open()
    await settled(page)
    expect(await codes(page)).toEqual(['worker-failed'])
  })
})

describe('the worker in control', () => {
  const claiming = 'onactivate = (event) => event.waitUntil(clients.claim());'
  test('a controlling worker that is another script is found', async ({ app, context }) => {
    const other = `oninstall = () => skipWaiting(); ${claiming}`
    app.others.set('/other.js', script(other, { 'cache-control': 'no-cache' }))
    const page = await openPage(context, app.origin)
    await page.evaluate(() => navigator.serviceWorker.register('/other.js'))
    await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.endsWith('other.js'))
    expect(await codes(page)).toEqual(['worker-other'])
  })
  test('a controlling worker without the session in it is found', async ({ app, context }) => {
    app.others.set(path, script(`onfetch = () => undefined; ${claiming}`, { 'cache-control': 'no-cache' }))
    const page = await openPage(context, app.origin)
    expect(await codes(page)).toEqual(['worker-silent'])
  })
  test('a worker that does not take the page over is found', async ({ app, open }) => {
    app.others.set(path, script('onfetch = () => undefined', { 'cache-control': 'no-cache' }))
    const page = await open()
    await page.evaluate(() => navigator.serviceWorker.ready)
    expect(await codes(page)).toEqual(['worker-not-controlling'])
  })
  test('a worker that lists other paths than the page is found', async ({ app, context }) => {
    const page = await openPage(context, app.origin, '/?shell&api=/v1/')
    const [finding] = await diagnose(page)
    expect(finding).toMatchObject({ code: 'worker-api', message: 'The worker lists /api/, the page /v1/.' })
  })
  test('a worker that was told another base of the session routes is found', async ({ app, open }) => {
    app.others.set('/two', (_request, response) => response.writeHead(204).end())
    const page = await open('?shell&url=/two')
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
    expect(await codes(page)).toContain('worker-session')
  })
  test('a worker of another version is found', async ({ app, context }) => {
    app.others.set(
      path,
      script((await workerScript()).replaceAll('format: 1', 'format: 7'), {
        'cache-control': 'no-cache',
      }),
    )
    expect(await codes(await openPage(context, app.origin))).toEqual(['worker-version'])
  })
  test('a retired worker is found', async ({ app, context }) => {
    const page = await openPage(context, app.origin)
    await page.evaluate(() => navigator.serviceWorker.controller?.postMessage({ type: 'retire' }))
    expect(await codes(page)).toEqual(['worker-retired'])
  })
  test('answers of the API that say nothing of the session are found', async ({ app, context }) => {
    app.others.set('/api/plain', (_request, response) => response.writeHead(200).end('{}'))
    const page = await openPage(context, app.origin)
    await page.evaluate(() => fetch('/api/plain?a=1'))
    expect(await diagnose(page)).toMatchObject([
      { code: 'api-silent', message: `The answer of ${app.origin}/api/plain has no Session-Revision.` },
    ])
    await page.evaluate(() => window.session.fetch('/api/plain?a=1'))
    expect(await codes(page)).toContain('api-silent')
  })
  test('a browser without service workers is found', async ({ context, open }) => {
    await context.addInitScript(
      () => void delete (Navigator.prototype as { serviceWorker?: unknown }).serviceWorker,
    )
    expect(await codes(await open())).toEqual(['worker-unsupported'])
  })
})

describe('the server', () => {
  test('a server that cannot be reached is found', async ({ app, context }) => {
    const page = await openPage(context, app.origin, '/?no-worker')
    // What looks for mistakes is loaded by then, as it would be in a page that offers it.
    await diagnose(page)
    app.isDead = true
    expect(await codes(page)).toEqual(['server-unreachable'])
  })
  test('session routes that answer with the single-page fallback are found missing', async ({
    app,
    open,
  }) => {
    app.others.set('/nowhere', html)
    app.others.set('/nowhere/diagnosis', html)
    expect(await codes(await open('?no-worker&url=/nowhere'))).toEqual(['routes-missing'])
  })
  test('session routes that belong to somebody else are found missing', async ({ app, open }) => {
    app.others.set('/nowhere', script('{}', { 'content-type': 'application/json' }))
    app.others.set('/nowhere/diagnosis', script('{}', { 'content-type': 'application/json' }))
    expect(await codes(await open('?no-worker&url=/nowhere'))).toEqual(['routes-missing'])
  })
  test('a server that does not know the diagnosis is found to be another version', async ({ app, open }) => {
    app.others.set('/session/diagnosis', (_request, response) =>
      response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"code":"not-found"}'),
    )
    expect(await codes(await open('?no-worker'))).toEqual(['server-other'])
  })
  test('a server of another origin that does not allow this one is found', async ({ open }) => {
    const other = await startApp({ store: memoryStore() })
    try {
      expect(await codes(await open(`?no-worker&url=${other.origin}/session`))).toEqual(['cors-refused'])
    } finally {
      await other.close()
    }
  })
  test('the doctor finds nothing wrong with a server of another origin that allows this one', async ({
    foreign,
    open,
  }) => {
    expect(await diagnose(await open(`?no-worker&url=${foreign.origin}/session`))).toEqual([])
  })
  test('a proxy that takes the exposed headers away is found', async ({ app, foreign, open }) => {
    foreign.others.set('/session/diagnosis', (_request, response) =>
      response
        .writeHead(200, {
          'content-type': 'application/json',
          'access-control-allow-origin': app.origin,
          'access-control-allow-credentials': 'true',
          'session-revision': 'none',
        })
        .end(
          JSON.stringify({
            at: Date.now() / 1000,
            secure: false,
            cookie: { name: 'session', secure: false, sameSite: 'Lax', partitioned: false },
            probe: 'arrived',
            session: 'none',
          }),
        ),
    )
    expect(await codes(await open(`?no-worker&url=${foreign.origin}/session`))).toEqual(['headers-hidden'])
  })
})

describe('the cookie', () => {
  test('a Secure cookie that is not stored on plain http is found', async ({ app, open }) => {
    const origin = app.origin.replace('localhost', 'shop.test')
    const findings = await diagnose(await open('?no-worker', origin))
    expect(findings.map(({ code }) => code)).toEqual(['insecure-context', 'cookie-not-stored'])
    expect(findings[1]?.advice).toContain('It is Secure, and this is plain http')
  })
  test('a cookie of another site that is not stored without SameSite=None is found', async ({
    app,
    open,
  }) => {
    const other = await startApp({ store: memoryStore(), allowedOrigins: [app.origin] })
    try {
      const url = `${other.origin.replace('localhost', '127.0.0.1')}/session`
      const [finding] = await diagnose(await open(`?no-worker&url=${url}`))
      expect(finding?.code).toBe('cookie-not-stored')
      expect(finding?.advice).toContain('It is SameSite=Lax')
    } finally {
      await other.close()
    }
  })
  test('a cookie that was deleted under the page is found missing', async ({ app, context }) => {
    const page = await openPage(context, app.origin, '/?no-worker')
    await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
    await context.clearCookies()
    expect(await codes(page)).toEqual(['cookie-gone'])
  })
  test('a browser whose cookies are off is found', async ({ context, open }) => {
    await context.addInitScript(() =>
      Object.defineProperty(Navigator.prototype, 'cookieEnabled', { get: () => false }),
    )
    expect(await codes(await open('?no-worker'))).toEqual(['cookies-off'])
  })
})

test('a device’s clock that is an hour behind is found', async ({ app, context }) => {
  const page = await context.newPage()
  await page.clock.install({ time: Date.now() - 3_600_000 })
  await page.goto(`${app.origin}/?no-worker`)
  const [finding] = await diagnose(page)
  expect(finding?.code).toBe('clock-skew')
  expect(finding?.message).toMatch(/^This device’s clock is 3(59|60)\d s behind the server’s\.$/)
})

test('storage that cannot be used is found', async ({ context, open }) => {
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('no', 'UnknownError')
    }
  })
  expect(await codes(await open('?no-worker'))).toEqual(['storage-memory'])
})
