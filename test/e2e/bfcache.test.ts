// Real Chromium, with its back-forward cache, which Playwright switches off otherwise.
import { type Browser, chromium } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryStore } from 'session-mirror/memory'
import { chromiumArguments, chromium as executablePath } from '../../vite.config.ts'
import { type App, startApp } from './app.ts'
import { openPage } from './browser.ts'

let browser: Browser
let app: App
beforeAll(async () => {
  const ignoreDefaultArgs = ['--disable-back-forward-cache']
  browser = await chromium.launch({ executablePath, args: chromiumArguments, ignoreDefaultArgs })
  app = await startApp({ store: memoryStore() })
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
})

test('a page that comes back from the cache shows who is here now, not who was when it was left', async () => {
  const context = await browser.newContext()
  const page = await openPage(context, app.origin, '/?no-worker')
  await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
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
  await context.close()
})
