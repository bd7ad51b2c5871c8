// Real Chromium, with its back-forward cache, which Playwright switches off otherwise.
import { expect } from 'vitest'
import { chromiumPath } from '../support/chromium.ts'
import { launch } from './browser.ts'
import { test as base } from './fixtures.ts'

const test = base.extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
  const browser = await launch({
    executablePath: chromiumPath,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
  onCleanup(() => browser.close())
  return browser
})

test('a page that comes back from the cache shows who is here now, not who was when it was left', async ({
  app,
  context,
  signIn,
}) => {
  const page = await signIn({ path: '/?no-worker' })
  await page.waitForFunction(() => document.body.textContent?.includes('ada'))
  await page.evaluate(() => {
    Object.assign(window, { cameBack: 'no' })
    addEventListener('pageshow', ({ persisted }) => Object.assign(window, { cameBack: String(persisted) }))
  })
  // What the page holds when it is frozen: only its own memory knows of this.
  await page.evaluate(() => Object.assign(window, { mark: 'the same page' }))
  await page.goto(`${app.origin}/page.js`)
  // Not by another tab of ours: its word would make the browser throw the frozen page away.
  const headers = { 'sec-fetch-site': 'same-origin' }
  const answer = await context.request.post(`${app.origin}/api/sign-in?as=grace`, { headers })
  expect(answer.status()).toBe(200)
  // A page that comes back is not loaded.
  await page.goBack({ waitUntil: 'commit' })
  await page.waitForFunction(() => window.session?.owner === 'grace')
  expect(await page.evaluate(() => document.body.textContent)).toContain('grace')
  expect(await page.evaluate(() => document.body.textContent)).not.toContain('ada')
  const came = await page.evaluate(() => [
    (window as unknown as { cameBack?: string }).cameBack,
    (window as unknown as { mark?: string }).mark,
  ])
  // Otherwise it was loaded anew, and this test shows nothing.
  expect(came).toEqual(['true', 'the same page'])
})

test('a page that comes back from the cache says before it is painted that it is unchecked, then that it is live', async ({
  app,
  signIn,
}) => {
  const page = await signIn()
  await page.goto(`${app.origin}/api/me`)
  await page.goBack({ waitUntil: 'commit' })
  await page.waitForFunction(() => window.restored.length > 0 && window.session.status.state === 'live')
  expect(await page.evaluate(() => window.restored)).toEqual([{ state: 'stale', reason: 'unchecked' }])
  expect(await page.evaluate(() => window.session.get('user'))).toBe('ada')
})

// Chromium drops a cached page that has missed a broadcast, and loads it anew; one that it kept would have to be as quiet.
test('a page that is come back to after another user signed in in another tab paints nothing of who was here', async ({
  app,
  signIn,
}) => {
  const page = await signIn({ path: '/?boot' })
  await page.addInitScript(watchFrames)
  await page.evaluate(watchFrames)
  await page.goto(`${app.origin}/api/me`)
  await signIn({ path: '/?boot', as: 'grace' })
  await page.goBack({ waitUntil: 'commit' })
  await page.waitForFunction(() => window.painted.some((text) => text.includes('grace')))
  expect(JSON.stringify(await page.evaluate(() => window.painted))).not.toContain('ada')
})

declare global {
  interface Window {
    painted: string[]
  }
}

/** Notes what each frame since the page came up shows. */
function watchFrames(): void {
  const watch = (): void => {
    window.painted.push(document.body?.textContent ?? '')
    requestAnimationFrame(watch)
  }
  addEventListener('pageshow', (event) => {
    if (event.persisted) window.painted = []
  })
  window.painted = []
  requestAnimationFrame(watch)
}
