// Requests that a browser makes in case somebody opens a page: they use nothing of the session, and change nothing.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

const ways: readonly Record<string, string>[] = [
  { 'sec-purpose': 'prefetch' },
  { 'sec-purpose': 'prefetch;prerender' },
  { 'sec-purpose': 'prefetch;anonymous-client-ip' },
  { purpose: 'prefetch' },
  { 'x-moz': 'prefetch' },
  { 'x-purpose': 'preview' },
]

async function signedIn() {
  const world = createWorld({ idleTimeoutSeconds: 1000, freshSeconds: 1000, rotateSeconds: 100 })
  const browser = world.browser()
  await browser.app((session) => session.signIn('ada'))
  return { world, browser }
}

describe.each(ways)('a request with %j', (headers) => {
  test('a page that nobody has opened reads the session, and extends neither its idle time nor its cookie', async () => {
    const { world, browser } = await signedIn()
    for (let step = 0; step < 9; step++) {
      world.sleep(100)
      const session = await world.sessions.load(
        browser.request('/page', { headers: { ...headers, 'sec-fetch-mode': 'navigate' } }),
      )
      expect(session.owner).toBe('ada')
      await session.save()
      expect(world.sessions.answer(session, new Response()).headers.getSetCookie()).toEqual([])
      expect(await browser.get('', headers)).toMatchObject({ status: 200, cookies: [] })
    }
    world.sleep(101)
    expect((await browser.get()).code).toBe('expired')
  })

  test('a page that nobody has opened begins, changes and ends nothing: the change is refused', async () => {
    const { world, browser } = await signedIn()
    await expect(browser.app((session) => session.set('theme', 'dark'), headers)).rejects.toEqual(
      code('speculative'),
    )
    await expect(browser.app((session) => session.destroy(), headers)).rejects.toEqual(code('speculative'))
    const stranger = world.browser()
    await expect(stranger.app((session) => session.signIn('eve'), headers)).rejects.toEqual(
      code('speculative'),
    )
    expect(stranger.cookie).toBe('')
    expect(await browser.signOut(headers)).toMatchObject({ status: 503, code: 'speculative', cookies: [] })
    expect((await browser.get()).message).toMatchObject({ owner: 'ada', keys: {} })
  })
})

test('a purpose that is none of these changes nothing', async () => {
  const { browser } = await signedIn()
  await browser.app((session) => session.set('theme', 'dark'), { purpose: 'shopping' })
  expect(await browser.app((session) => session.get('theme'))).toBe('dark')
})
