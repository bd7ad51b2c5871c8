// The example apps, built as their own users would build them, with the package as it is published, served with the real
// session server, in real Chromium: our session beside hand-written, Workbox's and vite-plugin-pwa's workers.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import { buildScripts } from '../../scripts/build.ts'
import { counts, isLong } from '../support/counts.ts'
import { sleep, until } from '../support/waiting.ts'
import { longFreshSeconds, outliveCookie } from './browser.ts'
import { test as base } from './fixtures.ts'

const root = join(import.meta.dirname, '../..')
const examples = join(root, 'test/examples')
/** In a process of its own, as from a shell. */
function build(name: string): Record<string, string> {
  const { NODE_ENV: _, VITEST: __, ...env } = process.env
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const folder = join(examples, name)
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  execFileSync(process.execPath, [vite, 'build', '--configLoader', 'native', '--logLevel', 'error'], {
    cwd: folder,
    env,
  })
  const files = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return Object.fromEntries(
    files.map((file) => {
      const path = join(file.parentPath, file.name)
      return [path.slice(join(folder, 'dist').length), readFileSync(path, 'utf8')]
    }),
  )
}

const image = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'

/** What each example can do beside our session. The last two are used in the long run only. */
const apps = [
  { name: 'hand-written', hasCaches: false },
  { name: 'pwa', hasCaches: true },
  { name: 'workbox', hasCaches: true },
  { name: 'generated', hasCaches: true },
] as const

const packaged = base
  .extend('installed', { scope: 'file' }, async () => {
    const installed = join(examples, 'node_modules/session-mirror')
    rmSync(installed, { recursive: true, force: true })
    mkdirSync(installed)
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    await buildScripts(join(installed, 'dist'), isLong ? 'terser' : true)
    return installed
  })
  // The files of each example, built once.
  .extend('filesOf', { scope: 'file' }, ({ installed: _installed }) => {
    const built = new Map<string, Record<string, string>>()
    return (name: string): Record<string, string> => {
      const files = built.get(name) ?? build(name)
      built.set(name, files)
      return files
    }
  })
packaged.override('appOptions', { freshSeconds: longFreshSeconds, rotateSeconds: 1 })

describe.each(apps.slice(0, counts.exampleApps))('the example $name', ({ name, hasCaches }) => {
  const test = packaged
    // How often the app's own routes were asked.
    .extend('served', ({ app, filesOf }) => {
      const files = filesOf(name)
      const served = { images: 0, catalogue: 0, public: 0 }
      for (const path of Object.keys(app.assets)) delete app.assets[path]
      Object.assign(app.assets, files, { '/': files['/index.html'] })
      app.others.set('/images/a.svg', (_request, response) => {
        served.images++
        response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(image)
      })
      app.others.set('/catalogue', (_request, response) => {
        served.catalogue++
        response.writeHead(200, { 'content-type': 'application/json' }).end('["apples"]')
      })
      app.others.set('/api/public', (_request, response) => {
        served.public++
        response.writeHead(200, { 'content-type': 'application/json' }).end('["public"]')
      })
      return served
    })
    // A page of the example in which somebody is signed in, and the loads of it so far.
    .extend('opened', async ({ app, context, served: _served }) => {
      const page = await context.newPage()
      const opened = { page, loads: 0 }
      page.on('framenavigated', () => void opened.loads++)
      await page.goto(app.origin)
      await page.waitForFunction(() => window.session?.inspect().worker === 'controlling')
      await page.evaluate(() => fetch('/api/sign-in?as=ada', { method: 'POST' }))
      await page.waitForFunction(() => window.session.owner === 'ada')
      // An app's own caches are filled by then.
      await page.evaluate(() => navigator.serviceWorker.ready)
      return opened
    })
  const cached = (page: Page): Promise<string[]> =>
    page.evaluate(async () => {
      const names = await caches.keys()
      const requests = await Promise.all(names.map(async (one) => (await caches.open(one)).keys()))
      return requests.flat().map(({ url }) => new URL(url).pathname)
    })

  test('twenty requests at a stale cookie cause one refresh, and say which session they mean', async ({
    app,
    opened,
  }) => {
    const { page } = opened
    await outliveCookie(app, page)
    const before = app.count('POST', '/session/refresh')
    const answers = await page.evaluate(async () => {
      const responses = await Promise.all(Array.from({ length: 20 }, () => fetch('/api/me')))
      return Promise.all(responses.map(async (response) => [response.status, (await response.json()).owner]))
    })
    expect(answers).toEqual(Array.from({ length: 20 }, () => [200, 'ada']))
    expect(app.count('POST', '/session/refresh') - before).toBe(1)
    const { epoch } = await page.evaluate(() => window.session.inspect().local.mirror)
    expect(app.seen.findLast((seen) => seen.path === '/api/me')).toMatchObject({ epoch })
  })

  test('parts that cannot be loaded at the start are loaded later, and nobody hears of it', async ({
    app,
    context,
    served: _served,
  }) => {
    const page = await context.newPage()
    const errors: unknown[] = []
    page.on('pageerror', (error) => errors.push(error))
    await page.addInitScript(() => {
      const failed = (event: Event): unknown => Object.assign(window, { heard: event.type })
      addEventListener('unhandledrejection', failed)
      // As an app does it: when its modules have run.
      document.addEventListener('DOMContentLoaded', () => addEventListener('vite:preloadError', failed))
    })
    let isAway = true
    await page.route(/session-mirror-(register|live)/, (route) => (isAway ? route.abort() : route.continue()))
    await page.goto(app.origin)
    await page.waitForFunction(() => window.session?.inspect().worker === 'failed')
    await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
    isAway = false
    await until('the worker is there', async () => {
      await page.evaluate(() => window.session.pull())
      return page.evaluate(() => window.session.inspect().worker === 'controlling')
    })
    await until('the event stream is there', () => app.count('GET', '/session/events') > 0)
    expect(errors).toEqual([])
    expect(await page.evaluate(() => 'heard' in window)).toBe(false)
  })

  test('nothing of the session is kept in Cache Storage, whatever routes the app has', async ({ opened }) => {
    const { page } = opened
    await page.evaluate(async () => {
      await fetch('/api/me')
      await window.session.set('note', 'mine').acknowledged
      await window.session.pull()
    })
    expect((await cached(page)).filter((path) => /^\/(api|session)/.test(path))).toEqual([])
  })

  test('the app opens without a network, with the session’s state and its own shell', async ({
    app,
    opened,
  }) => {
    const { page } = opened
    await page.evaluate(() => window.session.set('note', 'kept').acknowledged)
    app.isDead = true
    await page.reload()
    await page.waitForFunction(() => window.session?.status.state === 'stale')
    expect(await page.textContent('p')).toBe(`The shell of ${name}.`)
    expect(await page.evaluate(() => [window.session.owner, window.session.get('note')])).toEqual([
      'ada',
      'kept',
    ])
  })

  test('the app’s own requests are served from its own caches, if it has some', async ({
    app,
    opened,
    served,
  }) => {
    const { page } = opened
    if (!hasCaches) return expect(await cached(page)).not.toContain('/images/a.svg')
    const ask = (path: string): Promise<string> =>
      page.evaluate(async (url) => (await fetch(url)).text(), path)
    expect(await ask('/images/a.svg')).toBe(image)
    // It is answered first, and kept then.
    await until('the image is kept', async () => (await cached(page)).includes('/images/a.svg'))
    expect([await ask('/images/a.svg'), served.images]).toEqual([image, 1])
    expect(await ask('/catalogue')).toBe('["apples"]')
    await until('the catalogue is kept', async () => (await cached(page)).includes('/catalogue'))
    app.isDead = true
    expect([await ask('/images/a.svg'), await ask('/catalogue')]).toEqual([image, '["apples"]'])
  })

  test('a new version of the app’s worker takes over without a reload, and nobody is signed out', async ({
    app,
    opened,
  }) => {
    const { page } = opened
    const before = opened.loads
    const old = app.assets['/sw.js'] ?? ''
    const errors: unknown[] = []
    page.on('pageerror', (error) => errors.push(error))
    for (const version of [1, 2, 3]) {
      app.assets['/sw.js'] = `${old}\n// version ${version}`
      await page.evaluate(
        async () => void (await (await navigator.serviceWorker.getRegistration())?.update()),
      )
      const answers = await page.evaluate(async () => {
        const responses = await Promise.all(Array.from({ length: 10 }, () => fetch('/api/me')))
        return Promise.all(responses.map(async (response) => (await response.json()).owner))
      })
      expect(new Set(answers)).toEqual(new Set(['ada']))
      await sleep(300)
    }
    app.assets['/sw.js'] = old
    expect([opened.loads - before, errors]).toEqual([0, []])
  })

  test('each request has one answer: that of the listener that was there first', async ({
    context,
    opened,
  }) => {
    const { page } = opened
    const complaints: string[] = []
    context.on('console', (message) => {
      if (message.type() === 'error' || message.text().includes('respondWith'))
        complaints.push(message.text())
    })
    context.on('weberror', (error) => complaints.push(String(error.error())))
    await page.evaluate(async () => {
      await fetch('/api/public')
      await fetch('/api/public')
    })
    // Only in the example `pwa` does a route of the app's stand before us; then it is the app's request alone.
    const isKept = async (): Promise<boolean> => (await cached(page)).includes('/api/public')
    if (name === 'pwa') await until('the app’s route keeps its answer', isKept)
    else expect(await isKept()).toBe(false)
    expect(complaints).toEqual([])
    expect(await page.evaluate(() => window.session.diagnose())).toEqual(
      name === 'pwa' ? [] : [expect.objectContaining({ code: 'api-silent' })],
    )
  })
})
