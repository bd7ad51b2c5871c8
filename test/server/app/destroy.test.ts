// Ending a session from the app's code, by any of its three names.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

describe('delete and invalidate', () => {
  test.each(['delete', 'invalidate', 'destroy'] as const)('%s() ends the session', async (name) => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    const copy = browser.copy()
    await browser.app((session) => session[name]())
    expect(browser.cookie).toBe('')
    expect(await copy.app((session) => session.missing)).toBe('ended')
  })

  test('delete(undefined), a mistake, signs nobody out', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    await browser.app((session) => {
      expect(() => session.delete(undefined as never)).toThrow(code('unknown-key'))
    })
    expect(await browser.app((session) => session.owner)).toBe('ada')
  })

  test('a session goes on as an empty new one after invalidate', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const before = await browser.app((session) => session.epoch)
    await browser.app((session) => {
      session.invalidate()
      expect([session.isNew, session.keys()]).toEqual([true, []])
      session.set('user', { name: 'MVL' })
    })
    expect(await browser.app((session) => session.keys())).toEqual(['user'])
    expect(await browser.app((session) => session.epoch)).not.toBe(before)
  })
})
