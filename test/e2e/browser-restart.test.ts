// Closing the browser, for real: what a session with and without "remember me" leaves on a computer that others
// use, also for somebody who opens the page without a network.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { App } from './app.ts'
import { dumpStorage, launchProfile, openPage } from './browser.ts'
import { test as base } from './fixtures.ts'

const test = base.extend('folder', ({}, { onCleanup }) => {
  const folder = mkdtempSync(join(tmpdir(), 'session-mirror-'))
  onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
})

interface Place {
  readonly app: App
  /** Of the browser's profile. */
  readonly folder: string
}

/** Signs in, writes something that is never sent, and closes the browser. */
async function useAndClose({ app, folder }: Place, query: string): Promise<void> {
  const browser = await launchProfile(folder)
  const page = await openPage(browser, app.origin, '/?no-worker')
  await page.evaluate((url) => window.session.fetch(url, { method: 'POST' }), `/api/sign-in?as=ada${query}`)
  await page.waitForFunction(() => window.session.get('user') === 'ada')
  await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
  await browser.route('**/session/sync', (route) => route.abort())
  await page.evaluate(() => window.session.set('note', 'unsent of ada').stored)
  // Another tab, and a reload: these are the same run.
  const second = await browser.newPage()
  await second.goto(`${app.origin}/?no-worker`)
  await second.evaluate(() => window.session.ready)
  expect(await second.evaluate(() => window.session.get('user'))).toBe('ada')
  await browser.close()
}

/** What a page shows that is opened again while the server cannot be reached. */
async function openOffline({
  app,
  folder,
}: Place): Promise<{ user: string | undefined; theme: string; onDisk: string }> {
  const browser = await launchProfile(folder)
  await browser.route('**/session**', (route) => route.abort())
  const page = await browser.newPage()
  await page.goto(`${app.origin}/?no-worker`)
  await page.evaluate(() => window.session.ready)
  const shown = await page.evaluate(() => ({
    user: window.session.get('user'),
    theme: window.session.get('theme'),
  }))
  const onDisk = await dumpStorage(page)
  await browser.close()
  return { ...shown, onDisk }
}

test('nothing of a session without “remember me” is left for the next person, not even offline', async ({
  app,
  folder,
}) => {
  await useAndClose({ app, folder }, '&public')
  const { user, theme, onDisk } = await openOffline({ app, folder })
  expect([user, theme]).toEqual([undefined, 'light'])
  expect(onDisk).not.toMatch(/ada|dark|unsent/)
})

test('a session with “remember me” is there again, also offline, with what was not sent', async ({
  app,
  folder,
}) => {
  await useAndClose({ app, folder }, '')
  const { user, theme, onDisk } = await openOffline({ app, folder })
  expect([user, theme]).toEqual(['ada', 'dark'])
  expect(onDisk).toContain('unsent of ada')
})
