// `sessions.read`: looking at a request's session where nobody can be answered, in every state that it may be in.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { code, createWorld, ignoreError, watchStore } from '../harness.ts'

async function stage() {
  const store = watchStore(memoryStore())
  const world = createWorld({ store, onError: ignoreError })
  const browser = world.browser()
  await browser.app((session) => {
    session.signIn('ada')
    session.set('theme', 'dark')
  })
  return { ...world, store, visitor: browser, read: () => world.sessions.read(browser.request('/socket')) }
}

describe('read', () => {
  test('a live session is shown, and is not stale', async () => {
    const session = await (await stage()).read()
    expect([session.owner, session.get('theme'), session.isStale, session.missing]).toEqual([
      'ada',
      'dark',
      false,
      undefined,
    ])
  })

  test('a stale session is shown and says so, where load throws', async () => {
    const { read, sleep, sessions, visitor } = await stage()
    sleep(901)
    await expect(sessions.load(visitor.request('/socket'))).rejects.toEqual(code('stale'))
    const session = await read()
    expect([session.owner, session.get('theme'), session.isStale]).toEqual(['ada', 'dark', true])
  })

  test('a session that is over is nobody’s, and says why', async () => {
    const { read, sessions } = await stage()
    await sessions.revokeAll('ada')
    const session = await read()
    expect([session.owner, session.get('theme'), session.isStale, session.missing]).toEqual([
      null,
      'light',
      false,
      'ended',
    ])
  })

  test('a page that believes in another session is no reason to throw', async () => {
    const { sessions, visitor } = await stage()
    const headers = { 'session-epoch': 'AAAAAAAAAAAAAAAA' }
    expect((await sessions.read(visitor.request('/socket', { headers }))).owner).toBe('ada')
  })

  test('a store that is away is told, and never looks like nobody', async () => {
    const { read, store } = await stage()
    store.broken = true
    await expect(read()).rejects.toEqual(code('store-unavailable'))
  })

  test('nothing of it can be changed, and it sets no cookie', async () => {
    const { read, sleep, sessions, store } = await stage()
    sleep(500)
    const session = await read()
    store.calls.length = 0
    for (const change of [
      () => session.set('theme', 'light'),
      () => session.delete('theme'),
      () => session.signIn('grace'),
      () => session.destroy(),
      () => session.regenerate(),
      () => session.increment('visits'),
    ])
      expect(change).toThrow(code('invalid-option'))
    await session.save()
    expect(store.calls).toEqual([])
    expect(session.get('theme')).toBe('dark')
    expect(sessions.answer(session, new Response()).headers.getSetCookie()).toEqual([])
  })
})
