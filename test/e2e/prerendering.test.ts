// Pages that Chromium prerenders. It is merely started with a url: a driver would keep its prerendered pages from running. The pages
// tell the test's server what they see.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { expect } from 'vitest'
import { chromiumArguments, headlessShellPath } from '../support/chromium.ts'
import { type App, pageWith } from './app.ts'
import { test as base } from './fixtures.ts'

/** What a page has told: what happened, and what it showed then. */
interface Told {
  readonly what: string
  readonly isPrerendered: boolean
  readonly user: string | null
  readonly owner: string | null
  readonly status: string
  readonly note: string
  readonly pending: number
}

const telling = `
  window.tell = (what) => fetch('/told', { method: 'POST', body: JSON.stringify({
    what, isPrerendered: document.prerendering, user: session.get('user') ?? null, owner: session.owner,
    status: session.status.state, note: session.get('note'), pending: session.pending }) })`
/** Signs in, has the next page prerendered, does what the test wants, and opens the next page. */
const firstPage = pageWith(`<script type="module">
  ${telling}
  const until = async (isTrue) => { while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10)) }
  await session.fetch('/api/sign-in?as=ada', { method: 'POST' })
  await until(() => session.owner === 'ada')
  await session.set('note', 'of the first page').acknowledged
  const rules = Object.assign(document.createElement('script'), { type: 'speculationrules' })
  rules.textContent = JSON.stringify({ prerender: [{ urls: ['/next?no-worker'], eagerness: 'immediate' }] })
  document.head.append(rules)
  const step = await (await fetch('/step')).text()
  await new Function('session', 'until', 'return (async () => {' + step + '})()')(session, until)
  await tell('stepped')
  await fetch('/open')
  location.href = '/next?no-worker'
</script>`).replace('<script type="module" src="/page.js"></script>', '')
const nextPage = (element: string): string =>
  pageWith(element).replace(
    '</script>',
    `</script><script type="module">
  ${telling}
  document.addEventListener('prerenderingchange', () => { tell('opened'); requestAnimationFrame(() => tell('frame')) })
  session.subscribe(() => tell('changed'))
  await session.ready
  session.set('note', 'of a page that nobody has opened')
  await tell('ready')
  await session.known
  await tell('known')
</script>`,
  )

const test = base
  .extend('told', ({ app }): Told[] => {
    const told: Told[] = []
    const html = (path: string, body: () => string): void =>
      void app.others.set(
        path,
        (_request, response) =>
          void response.setHeader('content-type', 'text/html; charset=utf-8').end(body()),
      )
    html('/first', () => `<script type="module" src="/page.js"></script>${firstPage}`)
    html('/next', () => nextPage(''))
    html('/open', () => '')
    app.others.set('/told', async (request, response) => {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      told.push(JSON.parse(text) as Told)
      response.end()
    })
    return told
  })
  /** Starts Chromium with the first page, which does `step` once the next page is prerendered. */
  .extend('start', ({ app, told }, { onCleanup }) => (step: string): void => {
    app.others.set('/step', (_request, response) => void response.end(step))
    const folder = mkdtempSync(join(tmpdir(), 'session-mirror-prerender-'))
    const args = [
      ...chromiumArguments,
      '--headless',
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
    ]
    const child = spawn(headlessShellPath, [...args, `${app.origin}/first?no-worker`], {
      detached: true,
      stdio: 'ignore',
    })
    onCleanup(() => {
      expect(told.length).toBeGreaterThan(0)
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
    })
  })

const of = (told: readonly Told[], what: string): Told | undefined => told.find((one) => one.what === what)
const syncs = (app: App): number => app.count('POST', '/session/sync')

test('a prerendered page shows what this browser knows, and asks, sends and keeps nothing until it is opened', async ({
  app,
  told,
  start,
}) => {
  const [step, open] = [app.hold('/step'), app.hold('/open')]
  start('')
  await expect
    .poll(() => of(told, 'ready'))
    .toMatchObject({
      isPrerendered: true,
      user: 'ada',
      status: 'stale',
      note: 'of a page that nobody has opened',
      pending: 1,
    })
  const before = [app.seen.filter(({ path }) => path.startsWith('/session')).length, syncs(app)]
  step.release()
  await open.arrived
  // The write of the other page is not in this one's outbox, nor on its screen.
  expect(of(told, 'stepped')).toMatchObject({ note: 'of the first page', pending: 0 })
  expect([app.seen.filter(({ path }) => path.startsWith('/session')).length, syncs(app)]).toEqual(before)
  open.release()
  await expect
    .poll(() => of(told, 'known'))
    .toMatchObject({ isPrerendered: false, user: 'ada', status: 'live' })
  await expect.poll(() => syncs(app)).toBe((before[1] ?? 0) + 1)
})

test('a prerendered page shows nothing of who has left, from its first frame on', async ({
  app,
  told,
  start,
}) => {
  const [step, open] = [app.hold('/step'), app.hold('/open')]
  start(`
    await session.signOut()
    await session.fetch('/api/sign-in?as=grace', { method: 'POST' })
    await until(() => session.owner === 'grace')`)
  await expect.poll(() => of(told, 'ready')).toMatchObject({ isPrerendered: true, user: 'ada' })
  step.release()
  await open.arrived
  const pulls = app.count('GET', '/session')
  open.release()
  await expect
    .poll(() => of(told, 'frame'))
    .toMatchObject({ isPrerendered: false, user: 'grace', owner: 'grace' })
  const shown = told.slice(told.findIndex(({ what }) => what === 'opened'))
  expect(shown.map(({ user, owner }) => user ?? owner)).not.toContain('ada')
  // Ada's change was never Grace's.
  expect(shown.map(({ note }) => note)).not.toContain('of a page that nobody has opened')
  // It asks by itself, whatever the other tabs have said.
  await expect.poll(() => app.count('GET', '/session')).toBeGreaterThan(pulls)
})
