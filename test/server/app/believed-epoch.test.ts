// A page that believes in another session than its cookie names: it reads, and changes nothing.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

describe('the epoch that a page believes in', () => {
  test('the epoch of a request is compared with the session’s before the app sees the request', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    const { epoch } = (await browser.get()).message
    await browser.app(() => undefined, { 'session-epoch': epoch ?? '' })
    await browser.app((session) => session.signIn('bob'))
    await expect(browser.app(() => undefined, { 'session-epoch': epoch ?? '' })).rejects.toEqual(
      code('epoch-mismatch'),
    )
    await browser.signOut()
    await browser.app((session) => expect(session.owner).toBe(null), { 'session-epoch': epoch ?? '' })
  })
})

describe('a page that believes in a session which is gone', () => {
  test('a page that believes in a session which is gone reads as nobody, changes nothing, and can sign in', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('alice'))
    const epoch = (await browser.get()).message.epoch ?? ''
    const [late, cleared] = [browser.copy(), world.browser()]
    await browser.signOut()
    for (const page of [late, cleared]) {
      const believing = { 'session-epoch': epoch }
      expect(await page.app((session) => session.owner, believing)).toBe(null)
      const write = page.app((session) => session.set('theme', 'dark'), believing)
      await expect(write).rejects.toEqual(code('epoch-mismatch'))
      await page.app((session) => session.signIn('alice'), believing)
      expect(await page.app((session) => session.owner)).toBe('alice')
    }
  })
})
