// The demo as a visitor meets it: started as `npm run demo` starts it, used in Chromium, ended by its process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BrowserContext, Page } from 'playwright'
import { expect } from 'vitest'
import { freePort } from '../support/programs.ts'
import { newContext } from './browser.ts'
import { test as base } from './fixtures.ts'

const root = join(import.meta.dirname, '../..')

interface Demo {
  readonly process: ChildProcess
  readonly origin: string
  readonly printed: readonly string[]
}

/** A page whose console errors are kept; requests that the test makes fail on purpose are the test's business. */
type Visit = (path?: string) => Promise<{ readonly page: Page; readonly errors: readonly string[] }>

/** What Vite prints when the tests ask it for files that it must not serve. */
const refusal = /^$|outside of Vite serving allow list|^- \/|^Refer to docs https:\/\/vite/

const test = base
  .extend('demo', { scope: 'file' }, async ({}, { onCleanup }): Promise<Demo> => {
    const port = await freePort()
    const { MEMCACHED: _unset, ...env } = process.env
    const demo = spawn(process.execPath, ['--conditions=session-mirror-source', 'demo/serve.ts'], {
      cwd: root,
      env: { ...env, PORT: String(port), NODE_ENV: 'development' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onCleanup(() => void (demo.exitCode === null && demo.kill('SIGKILL')))
    createInterface(demo.stderr).on('line', (line) => {
      if (!refusal.test(line)) console.error(line)
    })
    const printed: string[] = []
    for await (const line of createInterface(demo.stdout)) {
      printed.push(line)
      const [, origin] = /^ready (\S+)$/.exec(line) ?? []
      if (origin !== undefined) return { process: demo, origin, printed }
    }
    throw new Error(`The demo is not ready: ${printed.join(', ')}`)
  })
  .extend('visit', ({ browser, demo }, { onCleanup }): Visit => {
    const contexts: BrowserContext[] = []
    onCleanup(async () => void (await Promise.all(contexts.map((context) => context.close()))))
    return async (path = '/') => {
      const context = await newContext(browser)
      contexts.push(context)
      const page = await context.newPage()
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(error.message))
      page.on('console', (message) => void (message.type() === 'error' && errors.push(message.text())))
      await page.goto(demo.origin + path)
      await page.locator('.pill', { hasText: 'live' }).waitFor()
      return { page, errors }
    }
  })

test('the demo says where it is ready, and which store it uses', ({ demo: { origin, printed } }) => {
  expect(printed).toContainEqual(`ready ${origin}`)
  expect(printed.some((line) => line.startsWith('store: memcached on 127.0.0.1:'))).toBe(true)
})

test('the demo’s buttons do what they say: sign in, buy, go offline, expire the cookie, end the worker, restart the store', async ({
  visit,
}) => {
  const { page, errors } = await visit()
  // The doctor looks once by itself: with the network there, and before anything is broken.
  await page.locator('.panel dd', { hasText: 'nothing found' }).waitFor()
  await page.click('[data-person=ada]')
  await page.locator('.who', { hasText: 'Ada Lovelace' }).waitFor()
  await page.click('.products li:nth-child(1) button')
  await page.click('#offline')
  await page.click('.products li:nth-child(2) button')
  await page.fill('#note', 'written offline')
  await page.locator('.pill', { hasText: 'offline' }).waitFor()
  expect(await page.locator('.lines li').count()).toBe(2)
  // The worker's Background Sync meets the same dead network, and so does the page when it is opened again.
  await page.reload()
  await page.locator('.pill', { hasText: 'offline' }).waitFor()
  expect(await page.locator('.lines li').count()).toBe(2)
  await page.click('#offline')
  await page.locator('.pill', { hasText: 'live' }).waitFor()
  await page.locator('.panel', { hasText: 'Outbox' }).locator('.count', { hasText: 'empty' }).waitFor()
  await page.fill('#note', 'written online')
  await page.locator('#note-state', { hasText: 'Kept on the server.' }).waitFor()
  expect(errors).toEqual([])

  await page.click('#expire')
  await page.waitForTimeout(1200)
  await page.click('#order')
  await page.locator('#stamps', { hasText: '2' }).waitFor()
  // By the worker, or by the page that had just come into focus: whoever met the stale cookie first.
  await page
    .locator('.panel', { hasText: 'to be refreshed' })
    .locator('dd', { hasText: /^in \d+ s$/ })
    .waitFor()

  await page.click('#end-worker')
  await page.locator('.panel dd', { hasText: /retired|no worker/ }).waitFor()
  // The doctor says so, with what to do.
  await page.locator('#examine').click()
  await page.locator('.panel dd', { hasText: /kill switch|No worker controls/ }).waitFor()
  await page.click('#end-worker')
  await page.locator('.panel dd', { hasText: 'activated' }).waitFor()

  await page.click('#restart-store')
  await page.locator('#banner', { hasText: 'restarted' }).waitFor()
  await page.fill('#note', 'after the restart')
  await page.locator('.pill', { hasText: 'lost' }).waitFor()
})

test('what is set on one page of the TurboGears example is read on another, from the mirror and from the server', async ({
  visit,
}) => {
  const { page, errors } = await visit('/turbogears.html')
  await page.fill('#tg-user', 'MVL')
  await page.click('text=Set and save')
  await page.locator('#tg-result', { hasText: 'Saved' }).waitFor()
  await page.click('.onward')
  await page.locator('#tg-mirror', { hasText: 'MVL' }).waitFor()
  await page.locator('#tg-server', { hasText: 'MVL' }).waitFor()
  expect(errors).toEqual([])
})

test('every control of the demo has a name, and nothing is wider than a narrow screen', async ({ visit }) => {
  const { page } = await visit()
  await page.setViewportSize({ width: 360, height: 740 })
  const unnamed = await page.evaluate(() =>
    [...document.querySelectorAll('button, select, input, textarea, summary')]
      .filter((element) => {
        const labels = 'labels' in element ? [...((element.labels as NodeListOf<Element> | null) ?? [])] : []
        const words = [
          element.getAttribute('aria-label'),
          element.textContent,
          ...labels.map((label) => label.textContent),
        ]
        return !words.some((word) => word?.trim())
      })
      .map((element) => element.outerHTML),
  )
  expect(unnamed).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
})

test('the demo’s list shows both browsers of one person, and one of them ends the other', async ({
  visit,
}) => {
  const [here, there] = [await visit(), await visit()]
  for (const { page } of [here, there]) {
    await page.click('[data-person=grace]')
    await page.locator('.who', { hasText: 'Grace Hopper' }).waitFor()
  }
  await here.page.reload()
  const rows = here.page.locator('.devices li')
  await rows.nth(1).waitFor()
  expect(await rows.allInnerTexts()).toEqual([
    expect.stringContaining('Chrome on Linux'),
    expect.stringContaining('Chrome on Linux'),
  ])
  expect(await here.page.locator('.devices em').allInnerTexts()).toEqual(['this browser'])
  await here.page.click('#end-others')
  await here.page.locator('#banner', { hasText: 'Every other session was ended.' }).waitFor()
  await expect.poll(() => rows.count()).toBe(1)
  await there.page.reload()
  await there.page.locator('[data-person=grace]').waitFor()
  expect(await here.page.locator('.who').innerText()).toBe('Grace Hopper')
  expect(here.errors).toEqual([])
})

test('the demo’s “remember me” decides whether the cookie outlives the browser', async ({ visit }) => {
  for (const remembered of [true, false]) {
    const { page } = await visit()
    if (!remembered) await page.uncheck('#remember')
    await page.click('[data-person=ada]')
    await page.locator('.who', { hasText: 'Ada Lovelace' }).waitFor()
    const cookies = await page.context().cookies()
    const { expires } = cookies.find(({ name }) => name.endsWith('session')) ?? { expires: 0 }
    expect(expires === -1).toBe(!remembered)
  }
})

test('another site cannot sign anybody in to the demo', async ({ demo, visit }) => {
  const { page } = await visit()
  const status = await page.evaluate(() =>
    fetch('/api/turbogears', { method: 'POST', body: '{}' }).then((response) => response.status),
  )
  expect(status).toBe(400)
  const headers = { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' }
  const answer = await fetch(`${demo.origin}/api/sign-in`, {
    method: 'POST',
    headers,
    body: '{"person":"ada"}',
  })
  expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []])
})

test('the demo hands out neither its signing secret nor the repository', async ({ demo: { origin } }) => {
  const secret = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'session-mirror-demo/secret',
  )
  const text = readFileSync(secret, 'utf8')
  const files = [secret, join(root, 'README.md'), join(root, 'package-lock.json'), '/etc/hostname']
  for (const file of files) {
    for (const suffix of ['', '?raw', '?url', '?import&raw']) {
      const answer = await fetch(`${origin}/@fs${file}${suffix}`)
      expect([file, suffix, answer.status]).toEqual([file, suffix, 403])
      expect(await answer.text()).not.toContain(text)
    }
  }
  expect((await fetch(`${origin}/@fs${join(root, 'src/index.ts')}`)).status).toBe(200)
})

test('the demo refuses a request for another host name, also where it restarts the store', async ({
  demo: { origin },
}) => {
  const { port } = new URL(origin)
  for (const [path, method] of [
    ['/demo/restart-store', 'POST'],
    ['/demo/inspect', 'GET'],
    ['/session', 'GET'],
    ['/api/sessions', 'GET'],
    ['/', 'GET'],
  ] as const) {
    for (const host of [
      `rebound.example:${port}`,
      `localhost.rebound.example:${port}`,
      '127.0.0.1.nip.example',
    ]) {
      const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }
      const sent = request(`${origin}${path}`, { method, headers }).end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      answer.resume()
      expect([path, host, answer.statusCode]).toEqual([path, host, 403])
    }
  }
})

test('the demo ends when it is told to, and takes its memcached with it', async ({ demo }) => {
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(demo.printed.join('\n'))?.[1])
  demo.process.kill('SIGTERM')
  await once(demo.process, 'exit')
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
})
