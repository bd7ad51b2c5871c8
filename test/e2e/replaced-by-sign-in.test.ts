// Real Chromium, real server: a sign-in replaces the session that was there, and the event stream may tell of that before the answer
// with the new cookie has arrived. Nobody's session has ended.
import { expect } from 'vitest'
import { counts } from '../support/counts.ts'
import { openPage } from './browser.ts'
import { test } from './fixtures.ts'

const seen = (events: readonly unknown[]): readonly string[] =>
  events.flatMap((event) => {
    const [name, value] = event as [string, { state?: string; reason?: string; count?: number }]
    if (name === 'status' && (value.state === 'signed-out' || value.state === 'lost'))
      return [`${value.state}: ${value.reason}`]
    return name === 'parked' ? ['parked'] : []
  })

test.for([
  ['by the page', '/?no-worker'],
  ['through the worker', '/'],
] as const)(
  `a sign-in %s on top of an anonymous session, ${counts.signInsOnTop} times: nothing ends, flickers or is parked`,
  async ([, path], { app, browser }) => {
    for (let round = 0; round < counts.signInsOnTop; round++) {
      const context = await browser.newContext()
      const page = await openPage(context, app.origin, path)
      await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
      // The stream is there before the sign-in.
      await expect.poll(() => app.count('GET', '/session/events')).toBeGreaterThan(round)
      // Stored and told, and the answer comes a third of a second later.
      await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada&wait=300', { method: 'POST' }))
      await page.waitForFunction(() => window.session.owner === 'ada')
      expect(seen(await page.evaluate(() => window.events))).toEqual([])
      await context.close()
    }
  },
)

test('a session that was replaced elsewhere, with no cookie coming here, is over after some seconds', async ({
  app,
  browser,
}) => {
  const context = await browser.newContext()
  const page = await openPage(context, app.origin, '/?no-worker')
  await page.evaluate(() => window.session.set('theme', 'dark').acknowledged)
  const cookies = await context.cookies()
  // Somebody who has a copy of the cookie signs in with it: this browser gets no new one.
  const other = await browser.newContext()
  await other.addCookies(cookies)
  const stranger = await openPage(other, app.origin, '/?no-worker')
  await stranger.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
  await page.waitForFunction(() => window.session.status.state === 'signed-out', undefined, {
    timeout: 20_000,
  })
  expect(await page.evaluate(() => window.session.get('theme'))).toBe('light')
  await other.close()
  await context.close()
})
