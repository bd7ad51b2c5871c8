// When a session ends by itself: the idle and the absolute time, by the server's clock.
import { describe, expect, test } from 'vitest'
import { createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const navigation = { 'sec-fetch-mode': 'navigate' }
const day = 86_400

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

describe('timeouts', () => {
  test('a session that is idle for too long has expired', async () => {
    const { world, browser } = await signedIn()
    world.sleep(day)
    expect(await browser.get()).toMatchObject({ status: 401, code: 'expired', cookies: [] })
    expect(await browser.post('refresh', nothing)).toMatchObject({ code: 'expired', cookies: [] })
    await browser.app((session) => expect([session.owner, session.missing]).toEqual([null, 'expired']))
  })

  test('each use begins the idle time anew', async () => {
    const { world, browser } = await signedIn()
    for (let count = 0; count < 10; count++) {
      world.sleep(day - 10)
      expect((await browser.post('refresh', nothing)).status).toBe(200)
    }
  })

  test('a session ends absolutely, however much it is used', async () => {
    const { world, browser } = await signedIn({ absoluteTimeoutSeconds: 3 * day })
    for (let count = 0; count < 6; count++) {
      await browser.post('refresh', nothing)
      world.sleep(day / 2 - 1)
    }
    expect((await browser.post('refresh', nothing)).message.expiresIn).toBe(6)
    world.sleep(6)
    expect((await browser.get()).code).toBe('expired')
  })

  test('a sign-in begins the absolute time anew', async () => {
    const { world, browser } = await signedIn({ absoluteTimeoutSeconds: day })
    world.sleep(day - 100)
    await browser.app((session) => session.signIn('alice'), navigation)
    world.sleep(800)
    expect((await browser.get()).message.owner).toBe('alice')
  })
})
