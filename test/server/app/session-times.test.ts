// The times that a session tells an app.
import { describe, expect, test } from 'vitest'
import { createWorld } from '../harness.ts'

describe('times', () => {
  test('created, lastAccessed and signedInAt are dates of the server’s clock', async () => {
    const world = createWorld()
    const browser = world.browser()
    const start = world.now()
    const times = () =>
      browser.app(({ created, lastAccessed, signedInAt }) =>
        [created, lastAccessed, signedInAt].map((date) =>
          date === null ? null : date.getTime() / 1000 - start,
        ),
      )
    expect(await times()).toEqual([null, null, null])
    await browser.app((session) => session.set('theme', 'dark'))
    expect(await times()).toEqual([0, 0, null])
    world.sleep(600)
    expect(await times()).toEqual([0, 0, null])
    expect(await times()).toEqual([0, 600, null])
    await browser.app((session) => session.signIn('ada'))
    expect(await times()).toEqual([0, 600, 600])
  })

  test('a step-up check asks how long ago the sign-in was', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => {
      expect(session.signedInWithin(300)).toBe(false)
      session.signIn('ada')
      expect(session.signedInWithin(300)).toBe(true)
    })
    world.sleep(299)
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(true)
    world.sleep(1)
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(false)
    await browser.app((session) => session.signIn('ada'))
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(true)
  })
})
