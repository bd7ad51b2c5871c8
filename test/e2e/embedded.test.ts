// A page that the server has rendered with its session in it (`embed`): real Chromium, a real server, and what the page shows from its
// first tick on.
import type { Page } from 'playwright'
import { expect } from 'vitest'
import { pageWith } from './app.ts'
import { test as base } from './fixtures.ts'

const test = base
  /** Signs in as a plain form does: no page with the SDK hears of it. */
  .extend('signInByForm', ({ app, context }) => async (as: string): Promise<void> => {
    const page = await context.newPage()
    await page.goto(`${app.origin}/plain`)
    await page.evaluate(
      (url) => fetch(url, { method: 'POST' }).then(() => undefined),
      `/api/sign-in?as=${as}`,
    )
    await page.close()
  })
  /** Opens the rendered page, or `html` in its place. */
  .extend('openRendered', ({ app, context }) => async (html?: string): Promise<Page> => {
    const page = await context.newPage()
    if (html !== undefined)
      app.others.set(
        '/saved',
        (_request, response) => void response.setHeader('content-type', 'text/html; charset=utf-8').end(html),
      )
    await page.goto(`${app.origin}/${html === undefined ? 'rendered' : 'saved'}?no-worker`)
    return page
  })
  /** What the server renders for this browser now. */
  .extend('render', ({ app, context }) => async (): Promise<string> => {
    const page = await context.newPage()
    await page.goto(`${app.origin}/plain`)
    // As a page that is opened: it may have a cookie that is to be refreshed.
    const html = await page.evaluate(() => fetch('/rendered').then((response) => response.text()))
    await page.close()
    return html
  })

const user = (page: Page): Promise<unknown> => page.evaluate(() => window.session.get('user'))
/** Who is shown: by a key of the session, and by its owner. */
const shown = (page: Page): Promise<unknown> =>
  page.evaluate(() => [window.session.get('user'), window.session.owner])
const known = (page: Page): Promise<unknown> =>
  page.evaluate(() => window.session.known.then(() => window.session.status.state))

test('a rendered page shows its session in the first tick, and asks the server for nothing', async ({
  app,
  signInByForm,
  openRendered,
}) => {
  await signInByForm('ada')
  const page = await openRendered()
  expect(await page.evaluate(() => window.atOnce)).toEqual(['ada', 'light'])
  expect(await known(page)).toBe('live')
  expect(await page.evaluate(() => [window.session.owner, window.session.expiresAt !== null])).toEqual([
    'ada',
    true,
  ])
  // The event stream is opened when all else is done.
  await expect.poll(() => app.count('GET', '/session/events')).toBe(1)
  expect(app.count('GET', '/session')).toBe(0)
  await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
  expect(app.count('GET', '/session')).toBe(0)
})

test('what a page carried is kept: the next page shows it without a network', async ({
  app,
  context,
  signInByForm,
  openRendered,
}) => {
  await signInByForm('ada')
  const page = await openRendered()
  await known(page)
  await context.setOffline(true)
  const other = await page.evaluate(async () => {
    const { local } = window.session.inspect()
    return [local.mirror.owner, local.mirror.parking !== null]
  })
  expect(other).toEqual(['ada', true])
  await context.setOffline(false)
  await page.goto(`${app.origin}/?no-worker`)
  await page.evaluate(() => window.session.ready)
  expect(await user(page)).toBe('ada')
})

test('a rendered page of a visitor shows nobody, and asks for nothing', async ({ app, openRendered }) => {
  const page = await openRendered()
  expect(await known(page)).toBe('live')
  expect(await page.evaluate(() => [window.session.owner, window.session.get('theme')])).toEqual([
    null,
    'light',
  ])
  expect(app.count('GET', '/session')).toBe(0)
})

test('an older page of the same session does not undo what the mirror has', async ({
  render,
  signIn,
  openRendered,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  const html = await render()
  await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
  const later = await openRendered(html)
  await later.evaluate(() => window.session.ready)
  expect(await later.evaluate(() => window.session.get('theme'))).toBe('dark')
  await known(later)
  expect(await later.evaluate(() => window.session.get('theme'))).toBe('dark')
})

test('unsent changes stay on top of what a page carries, and are sent', async ({
  app,
  context,
  render,
  signIn,
  openRendered,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  await context.setOffline(true)
  await page.evaluate(() => window.session.set('note', 'written offline').stored)
  await page.close()
  await context.setOffline(false)
  const next = await openRendered()
  await next.evaluate(() => window.session.ready)
  expect(await next.evaluate(() => window.session.get('note'))).toBe('written offline')
  await next.waitForFunction(() => window.session.pending === 0)
  // Once, or twice: the page that closed may have tried as well when the network was back.
  expect(app.count('POST', '/session/sync')).toBeGreaterThan(0)
  expect(await render()).toContain('written offline')
})

test('a page of somebody who has signed out since is nobody’s, and is not written into the mirror', async ({
  render,
  signIn,
  openRendered,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  const html = await render()
  await page.evaluate(() => window.session.signOut())
  const later = await openRendered(html)
  await later.evaluate(() => window.session.ready)
  expect(await user(later)).toBeUndefined()
  expect(await later.evaluate(() => window.session.owner)).toBeNull()
  await known(later)
  expect(await user(later)).toBeUndefined()
  expect(await user(page)).toBeUndefined()
})

test('between a mirror and a page of two owners the server decides, and neither is shown before', async ({
  app,
  signIn,
  signInByForm,
  openRendered,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  await page.close()
  await signInByForm('grace')
  const held = app.hold('/session')
  const next = await openRendered()
  await held.arrived
  expect(await shown(next)).toEqual([undefined, null])
  held.release()
  await known(next)
  expect(await shown(next)).toEqual(['grace', 'grace'])
})

test('a page of another owner out of a cache does not show that owner once the mirror is read', async ({
  render,
  signIn,
  openRendered,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  const html = await render()
  await page.evaluate(() => window.session.signOut())
  await page.evaluate(() =>
    window.session.fetch('/api/sign-in?as=grace', { method: 'POST' }).then(() => undefined),
  )
  await page.waitForFunction(() => window.session.owner === 'grace')
  const later = await openRendered(html)
  await later.evaluate(() => window.session.ready)
  expect(await shown(later)).toEqual(['grace', 'grace'])
})

test('a page that is older than a minute counts for nothing: the server is asked', async ({
  app,
  render,
  signInByForm,
  openRendered,
}) => {
  await signInByForm('ada')
  const html = await render()
  const page = await openRendered(html.replace(/"at":(\d+)/, (_all, at) => `"at":${Number(at) - 61_000}`))
  expect(await page.evaluate(() => window.atOnce)).toEqual([undefined, 'light'])
  await known(page)
  expect(await user(page)).toBe('ada')
  expect(app.count('GET', '/session')).toBe(1)
})

test('only a script of the server’s form is read, no other element with its id and no other text', async ({
  app,
  openRendered,
  render,
  signInByForm,
}) => {
  await signInByForm('ada')
  const element = /<script type="application.*?<\/script>/.exec(await render())?.[0] ?? ''
  const asDiv = element.replaceAll('script', 'div')
  for (const wrong of [asDiv, element.replace(/{.*}/, '{"format":1}'), element.replace(/{.*}/, 'null')]) {
    // oxlint-disable-next-line no-await-in-loop -- one page after another
    const page = await openRendered(pageWith(wrong))
    // oxlint-disable-next-line no-await-in-loop -- as above
    expect(await page.evaluate(() => window.atOnce)).toEqual([undefined, 'light'])
    // oxlint-disable-next-line no-await-in-loop -- as above
    await known(page)
  }
  expect(app.count('GET', '/session')).toBeGreaterThan(0)
})
