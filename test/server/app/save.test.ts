// `session.save`: what it stores, and what it says of it.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { code, createWorld, ignoreError, watchStore } from '../harness.ts'

describe('save', () => {
  test('save says what it set and removed, and nothing that was there already', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    await browser.app(async (session) => {
      session.set('theme', 'dark')
      session.set('user', { name: 'MVL' })
      session.increment('visits')
      session.delete('cart')
      const { changed, revision } = await session.save()
      expect([changed, revision]).toEqual([['user', 'visits'], 2])
      expect((await session.save()).changed).toEqual([])
    })
  })

  test('save writes nothing for a session that nobody changed', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store, clock: Date.now }).browser()
    await browser.app((session) => session.set('theme', 'dark'))
    store.calls.length = 0
    await browser.app((session) => session.set('theme', session.get('theme')))
    // A second look: what was read before may have changed since.
    expect(store.calls).toEqual(['read', 'read'])
  })

  test('only what the app saves is stored with autoSave: false', async () => {
    const { sessions } = createWorld({ autoSave: false })
    const cookies: string[] = []
    const run = async (change: string) => {
      const request = new Request('http://localhost/app', { headers: { cookie: cookies.at(-1) ?? '' } })
      const answer = await sessions.route(async (_, session) => {
        if (change === 'set') session.set('theme', 'dark')
        if (change === 'save') {
          session.set('user', { name: 'MVL' })
          await session.save()
          session.set('theme', 'dark')
        }
        return Response.json(session.keys())
      })(request)
      cookies.push(...answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? ''))
      return answer.json()
    }
    expect([await run('set'), await run('read'), cookies.length]).toEqual([['theme'], [], 0])
    expect([await run('save'), await run('read'), cookies.length]).toEqual([['user', 'theme'], ['user'], 1])
  })

  test('save leaves what is changed while it runs to the next save', async () => {
    const { browser, sessions } = createWorld()
    const mine = browser()
    await mine.app(async (session) => {
      session.set('theme', 'first')
      const saving = session.save()
      session.set('theme', 'second')
      session.increment('visits')
      expect((await saving).changed).toEqual(['theme'])
      expect([session.get('theme'), session.get('visits')]).toEqual(['second', 1])
      expect(sessions.progress(session)).toMatchObject({ isDirty: true, isSettled: false })
      expect((await session.save()).changed).toEqual(['theme', 'visits'])
      expect(sessions.progress(session)).toMatchObject({ isDirty: false, isSettled: true })
    })
  })

  test('save ends the session, and leaves a sign-in that is wanted while it runs to the next save', async () => {
    const { browser } = createWorld()
    const mine = browser()
    await mine.app((session) => session.signIn('ada'))
    const copy = mine.copy()
    await mine.app(async (session) => {
      session.destroy()
      const saving = session.save()
      session.signIn('grace')
      await saving
      await session.save()
    })
    expect(await mine.app((session) => session.owner)).toBe('grace')
    expect(await copy.app((session) => session.missing)).toBe('ended')
  })

  test('a save that failed leaves end, sign-in and changes together to the next save', async () => {
    const store = watchStore(memoryStore())
    const { browser } = createWorld({ store, clock: Date.now, onError: ignoreError })
    const mine = browser()
    await mine.app((session) => session.signIn('ada'))
    const copy = mine.copy()
    await mine.app(async (session) => {
      session.destroy()
      session.signIn('grace')
      session.set('theme', 'dark')
      store.broken = true
      await expect(session.save()).rejects.toEqual(code('store-unavailable'))
      store.broken = false
      await session.save()
    })
    expect(await mine.app((session) => [session.owner, session.get('theme')])).toEqual(['grace', 'dark'])
    expect(await copy.app((session) => session.missing)).toBe('ended')
  })
})
