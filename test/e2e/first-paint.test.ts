// Real Chromium, real localStorage: what a page can read in the tick in which it opens its session.
import type { Page } from 'playwright'
import { expect } from 'vitest'
import { dumpStorage, openPage } from './browser.ts'
import { test as base } from './fixtures.ts'

const test = base.extend('openWithTheme', ({ signIn }) =>
  /** A page whose session has an owner and a theme. */
  async (isPublic = false): Promise<Page> => {
    const page = await signIn({ path: '/?shell&boot', isPublic })
    await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
    return page
  },
)

async function reload(page: Page): Promise<unknown> {
  await page.reload()
  return page.evaluate(() => window.atOnce)
}

test('a reload reads the marked keys in its first tick, with and without a network', async ({
  context,
  openWithTheme,
}) => {
  const page = await openWithTheme()
  expect(await reload(page)).toEqual(['ada', 'dark'])
  await context.setOffline(true)
  expect(await reload(page)).toEqual(['ada', 'dark'])
  await page.evaluate(() => window.session.ready)
  expect(await page.evaluate(() => window.session.get('user'))).toBe('ada')
})

test('a reload shows nothing after a sign-out in another tab, also when the sign-out is only queued', async ({
  app,
  context,
  openWithTheme,
}) => {
  const [page, other] = [await openWithTheme(), await openPage(context, app.origin, '/?shell&boot')]
  await context.setOffline(true)
  expect(await other.evaluate(() => window.session.signOut())).toEqual({ server: 'queued', device: 'clean' })
  expect(await reload(page)).toEqual([undefined, 'light'])
  await context.setOffline(false)
  await page.waitForFunction(() => window.session.inspect().local.mirror.leaving === null)
  expect(await reload(page)).toEqual([undefined, 'light'])
})

test('a reload shows nothing after a sign-out in a tab that copies nothing, and nothing is left on disk', async ({
  app,
  context,
  openWithTheme,
}) => {
  const [page, other] = [await openWithTheme(), await openPage(context, app.origin, '/?shell')]
  await page.close()
  await other.evaluate(() => window.session.signOut())
  const next = await context.newPage()
  await next.goto(`${app.origin}/?shell&boot`)
  expect(await next.evaluate(() => window.atOnce)).toEqual([undefined, 'light'])
  expect(await dumpStorage(next)).not.toContain('ada')
})

test('a reload shows the user who signed in in another tab', async ({ app, context, openWithTheme }) => {
  const [page, other] = [await openWithTheme(), await openPage(context, app.origin, '/?shell&boot')]
  await other.evaluate(() => fetch('/api/sign-in?as=grace', { method: 'POST' }))
  await page.waitForFunction(() => window.session.owner === 'grace')
  expect(await reload(page)).toEqual(['grace', 'light'])
})

test('a session that ends with the browser is not copied', async ({ openWithTheme }) => {
  const page = await openWithTheme(true)
  expect(await reload(page)).toEqual([undefined, 'light'])
  await page.waitForFunction(() => window.session.owner === 'ada')
  expect(await page.evaluate(() => localStorage.length)).toBe(0)
})
