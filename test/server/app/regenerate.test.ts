// `session.regenerate`: another id and epoch for the same session.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

describe('regenerate', () => {
  test('regenerate gives a new id and a new epoch and keeps everything else, and the old cookie is dead', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => {
      session.signIn('ada', { label: 'phone' })
      session.set('secret', 'kept')
    })
    const [epoch, created] = await browser.app((session) => [session.epoch, session.created])
    const copy = browser.copy()
    world.sleep(100)
    await browser.app((session) => {
      session.regenerate()
      session.set('theme', 'dark')
    })
    const after = await browser.app((session) => ({
      keys: [session.get('secret'), session.get('theme')],
      owner: session.owner,
      label: session.label,
      created: session.created,
      isRecent: session.signedInWithin(50),
    }))
    const keys = ['kept', 'dark']
    expect(after).toEqual({ keys, owner: 'ada', label: 'phone', created, isRecent: false })
    expect(await browser.app((session) => session.epoch)).not.toBe(epoch)
    expect(await copy.app((session) => session.missing)).toBe('ended')
    expect((await world.sessions.list('ada')).map(({ label }) => label)).toEqual(['phone'])
  })

  test('regenerate never extends the absolute lifetime', async () => {
    const world = createWorld({ absoluteTimeoutSeconds: 100_000, freshSeconds: 80_000 })
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    world.sleep(70_000)
    await browser.app((session) => session.regenerate())
    world.sleep(40_000)
    expect(await browser.app((session) => session.missing)).toBe('expired')
  })

  test('regenerate is refused for a session that was signed out meanwhile', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    const copy = browser.copy()
    const signingOut = copy.app(async (session) => {
      session.regenerate()
      await browser.signOut()
    })
    await expect(signingOut).rejects.toEqual(code('ended'))
  })

  test('regenerate does nothing without a session', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.regenerate())
    expect(browser.cookie).toBe('')
  })
})
