// Real Chromium with pieces taken away or broken, in the worker and in the page: what session-mirror cannot do must cost the app
// nothing. And the oldest engines that are supported, by taking away what they do not have.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import { until } from '../support/waiting.ts'
import { openPage } from './browser.ts'
import { test } from './fixtures.ts'
import type { App } from './app.ts'

/** Runs before the worker's own first line. */
function before(app: App, code: string): void {
  app.assets['/session-worker.js'] = `${code};\n${app.assets['/session-worker.js'] ?? ''}`
}

const ask = (page: Page): Promise<unknown> =>
  page.evaluate(async () => {
    const [get, post] = await Promise.all([
      fetch('/api/me').then((response) => response.json()),
      fetch('/api/order', { method: 'POST', body: '{}' }).then((response) => response.status),
    ])
    return [get.owner, post]
  })

describe('a worker in which something fails', () => {
  test.for([
    ['clients.get rejects', 'clients.get = () => Promise.reject(new TypeError())'],
    ['clients.get throws', 'clients.get = () => { throw new TypeError() }'],
    ['IndexedDB throws', 'IDBFactory.prototype.open = () => { throw new TypeError() }'],
    [
      'IndexedDB fails',
      "IDBFactory.prototype.open = () => { const r = new EventTarget(); setTimeout(() => r.dispatchEvent(new Event('error'))); return r }",
    ],
    ['a request cannot be made anew', 'self.Request = class { constructor() { throw new TypeError() } }'],
    ['headers cannot be made', 'self.Headers = class { constructor() { throw new TypeError() } }'],
    ['a request cannot be cloned', 'Request.prototype.clone = () => { throw new TypeError() }'],
    ['an answer cannot be cloned', 'Response.prototype.clone = () => { throw new TypeError() }'],
    [
      'an answer has no headers',
      "Object.defineProperty(Response.prototype, 'headers', { get() { throw new TypeError() } })",
    ],
    ['locks are refused', 'LockManager.prototype.request = () => { throw new DOMException() }'],
    [
      'nothing can be told to the tabs',
      'BroadcastChannel.prototype.postMessage = () => { throw new TypeError() }',
    ],
    ['no timer can be set', 'self.setTimeout = () => { throw new TypeError() }'],
    [
      'urls cannot be read once it runs',
      'setTimeout(() => { self.URL = class { constructor() { throw new TypeError() } } })',
    ],
  ] as const)('%s: the request goes out as it is', async ([, code], { app, context }) => {
    before(app, code)
    const page = await openPage(context, app.origin)
    expect(await page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true)
    // The worker may be in no state to tell the page of it.
    await page.evaluate(async () => {
      await fetch('/api/sign-in?as=ada', { method: 'POST' })
      await window.session.pull()
    })
    expect(await page.evaluate(() => window.session.owner)).toBe('ada')
    expect(await ask(page)).toEqual(['ada', 200])
    // Each once: what has left is not sent again because of a fault of ours.
    expect(app.count('POST', '/api/order')).toBe(1)
  })
})

/**
 * What Chromium 110, Firefox 115 and Safari 16.4 do not have all: taken away, the engine is as old as the oldest that is
 * supported, as far as our code could see.
 */
const younger = `
for (const [from, names] of [
  [URL, ['parse', 'canParse']],
  [Promise, ['withResolvers', 'try']],
  [AbortSignal, ['any']],
  [Object, ['groupBy']],
  [Map, ['groupBy']],
  [Array, ['fromAsync']],
  [ArrayBuffer.prototype, ['transfer', 'resizable']],
  [Uint8Array, ['fromBase64', 'fromHex']],
  [Uint8Array.prototype, ['toBase64', 'toHex']],
  [Set.prototype, ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom']],
  [globalThis.Iterator?.prototype ?? {}, ['map', 'filter', 'take', 'drop', 'some', 'every', 'find', 'reduce', 'toArray', 'forEach', 'flatMap']],
  [globalThis, ['Iterator', 'URLPattern', 'scheduler', 'navigation', 'cookieStore', 'trustedTypes', 'Float16Array', 'SuppressedError', 'DisposableStack']],
  [String.prototype, ['isWellFormed', 'toWellFormed']],
  [RegExp, ['escape']],
  [Error, ['isError', 'captureStackTrace']],
  [Math, ['sumPrecise', 'f16round']],
  [globalThis.document ?? {}, ['prerendering', 'startViewTransition']],
  [globalThis.InstallEvent?.prototype ?? {}, ['addRoutes']],
  [globalThis.ServiceWorkerRegistration?.prototype ?? {}, ['sync']],
  [globalThis.Request?.prototype ?? {}, ['duplex', 'bytes']],
  [globalThis.Response?.prototype ?? {}, ['bytes']],
]) for (const name of names) {
  if (!Reflect.deleteProperty(from, name)) Object.defineProperty(from, name, { value: undefined })
}`

test('the oldest engines that are supported do all of it', async ({ app, context, signIn }) => {
  before(app, younger)
  await context.addInitScript(younger)
  const errors: string[] = []
  context.on('weberror', (error) => errors.push(String(error.error())))
  const page = await signIn()
  expect(await page.evaluate(() => typeof URL.parse)).toBe('undefined')
  expect(await ask(page)).toEqual(['ada', 200])
  await page.evaluate(() => window.session.set('note', 'from an old engine').acknowledged)
  // The event stream, a second tab, the boot copy, the doctor.
  await expect.poll(() => app.count('GET', '/session/events')).toBe(1)
  const other = await openPage(context, app.origin, '/?boot')
  await other.waitForFunction(() => window.session.get('note') === 'from an old engine')
  expect(await other.evaluate(() => window.session.diagnose())).toEqual([])
  // Another device writes: the stream tells.
  await page.evaluate(() => fetch('/api/order', { method: 'POST' }))
  expect(await page.evaluate(() => window.session.inspect().worker)).toBe('controlling')
  await page.evaluate(() => window.session.signOut())
  await other.waitForFunction(() => window.session.owner === null)
  expect(errors).toEqual([])
})

describe('what fails at the start', () => {
  test('a worker whose script is a portal’s page is registered when the server answers again', async ({
    app,
    context,
  }) => {
    const script = app.assets['/session-worker.js'] ?? ''
    delete app.assets['/session-worker.js']
    app.others.set(
      '/session-worker.js',
      (_request, response) => void response.setHeader('content-type', 'text/html').end('sign in to the wifi'),
    )
    const page = await context.newPage()
    await page.goto(app.origin)
    await page.waitForFunction(() => window.session.inspect().worker === 'failed')
    app.others.clear()
    app.assets['/session-worker.js'] = script
    // The first look may have come before the server was well again: then the next one does it.
    await until('the worker is there', async () => {
      await page.evaluate(() => window.session.pull())
      return page.evaluate(() => window.session.inspect().worker === 'controlling')
    })
  })

  test('a registration that was cleared comes back when the page does', async ({ app, context, signIn }) => {
    const page = await signIn()
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration()
      await registration?.unregister()
    })
    expect(
      await page.evaluate(() =>
        navigator.serviceWorker.getRegistration().then((found) => found === undefined),
      ),
    ).toBe(true)
    const other = await context.newPage()
    await other.goto(`${app.origin}/plain`)
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await page.waitForFunction(() =>
      navigator.serviceWorker.getRegistration().then((found) => (found === undefined ? '' : 'there')),
    )
  })
})

test('a page whose worker serves another list says so, and does its own work', async ({
  app,
  context,
  signIn,
}) => {
  await (await signIn()).close()
  const page = await context.newPage()
  // Its own worker, registered for another list at the same scope, pushes the other one out: that page sees it.
  const first = await openPage(context, app.origin)
  await page.goto(`${app.origin}/?api=/api/me`)
  await page.waitForFunction(() => window.session.inspect().worker === 'different')
  await first.waitForFunction(() => window.session.inspect().worker === 'different')
  expect(
    await first.evaluate(() =>
      window.session.fetch('/api/order', { method: 'POST' }).then((response) => response.status),
    ),
  ).toBe(200)
  const findings = await first.evaluate(() => window.session.diagnose())
  expect(findings.map(({ code }) => code)).toContain('worker-api')
})

test('where Trusted Types are asked for, the worker’s url is one of a policy named session-mirror', async ({
  app,
  context,
}) => {
  const html = app.assets['/'] ?? ''
  app.others.set(
    '/',
    (_request, response) =>
      void response
        .setHeader('content-type', 'text/html')
        .setHeader(
          'content-security-policy',
          "require-trusted-types-for 'script'; trusted-types session-mirror",
        )
        .end(html),
  )
  const page = await openPage(context, app.origin)
  expect(await page.evaluate(() => window.session.inspect().worker)).toBe('controlling')
})

test('a listed GET that is redirected to another origin arrives there', async ({ app, signIn }) => {
  const other = createServer((request, response) => {
    response.setHeader('access-control-allow-origin', '*')
    response.end(request.method === 'OPTIONS' ? '' : 'from elsewhere')
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  app.others.set('/api/moved', (_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
  )
  const page = await signIn()
  const moved = (): Promise<string> =>
    page.evaluate(() => fetch('/api/moved').then((response) => response.text()))
  expect([await moved(), await moved()]).toEqual(['from elsewhere', 'from elsewhere'])
  expect(
    await page.evaluate(() => window.session.fetch('/api/moved').then((response) => response.text())),
  ).toBe('from elsewhere')
  other.close()
})

test('createSession works in a srcdoc frame, as the same session', async ({ signIn }) => {
  const page = await signIn()
  await page.evaluate(async () => {
    const frame = document.createElement('iframe')
    frame.srcdoc = '<body></body><script type="module" src="/page.js"></script>'
    // The page writes its body anew with each change.
    document.documentElement.append(frame)
    await new Promise((resolve) => frame.addEventListener('load', resolve))
  })
  const [, frame] = page.frames()
  const shown = await frame?.evaluate(async () => {
    await window.session.known
    await window.session.set('note', 'from the frame').acknowledged
    return [location.href, window.session.owner, window.session.status.state, window.session.durability]
  })
  expect(shown).toEqual(['about:srcdoc', 'ada', 'live', 'disk'])
  await page.waitForFunction(() => window.session.get('note') === 'from the frame')
})
