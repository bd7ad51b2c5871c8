// Code that changes: a page whose schema is another one than that of the page, or the server, that wrote a value.
import { describe, expect, test } from 'vitest'
import { createSession } from 'session-mirror'
import { defineSession, readable, writable } from 'session-mirror/schema'
import * as v from 'valibot'
import { goOffline, onServer, server, signedIn } from './harness.ts'

const url = 'http://localhost/session'
const later = defineSession({
  user: readable(v.object({ name: v.string() })),
  theme: writable(v.picklist(['light', 'dark', 'sepia']), { default: 'light' }),
  list: writable(v.array(v.object({ id: v.string() })), { default: [] }),
})

/** What an older page left on disk, opened by a newer one that is offline. */
async function openLater(options: Partial<Parameters<typeof createSession<typeof later>>[0]> = {}) {
  const old = await signedIn()
  await old.set('theme', 'dark').acknowledged
  await old.set('list', ['a', 'b']).acknowledged
  old.close()
  goOffline()
  const fetchNothing = (): Promise<Response> => Promise.reject(new TypeError('offline'))
  const session = createSession({
    schema: later,
    url,
    fetch: fetchNothing,
    now: server.clock.now,
    ...options,
  })
  await session.ready
  return session
}

describe('a newer schema', () => {
  test('shows what its validators take, and what they refuse as not set', async () => {
    const session = await openLater()
    expect(session.get('theme')).toBe('dark')
    expect(session.get('user')).toBeUndefined()
    expect(session.get('list')).toEqual([])
    session.close()
  })

  test('has old values made into new ones by the app, and checks what that gives', async () => {
    const session = await openLater({
      migrate(key, value) {
        if (key === 'user' && typeof value === 'string') return { name: value }
        return key === 'list' ? 'still wrong' : undefined
      },
    })
    expect(session.get('user')).toEqual({ name: 'Ada' })
    expect(session.get('list')).toEqual([])
    session.close()
  })

  test('does not see keys that it does not have any more, and their unsent changes are answered by the server', async () => {
    const old = await signedIn()
    goOffline()
    await old.set('note', 'of before').stored
    old.close()
    goOffline(false)
    const session = createSession({ schema: later, url, now: server.clock.now })
    await session.ready
    expect(() => session.get('note' as never)).toThrow(/no key/)
    expect(await session.flush()).toEqual({ pending: 0 })
    expect(await onServer((s) => s.get('note'))).toBe('of before')
    session.close()
  })
})

describe('parked changes', () => {
  /** One change was on its way, two were waiting, when somebody else signed in; then their owner is back. */
  async function comeBack(options: Parameters<typeof signedIn>[0] = {}) {
    const session = await signedIn(options)
    goOffline()
    await session.set('note', 'on its way').stored
    await session.flush()
    await session.increment('visits', 2).stored
    await session.set('theme', 'dark').stored
    await server.change((s) => s.signIn('grace'))
    goOffline(false)
    await session.pull()
    expect(session.pending).toBe(0)
    await server.change((s) => s.signIn('ada'))
    await session.pull()
    await session.flush()
    expect(session.pending).toBe(0)
    return onServer((s) => [s.owner, s.get('note'), s.get('visits'), s.get('theme')])
  }

  test('go out when their owner is back', async () => {
    expect(await comeBack()).toEqual(['ada', 'on its way', 2, 'dark'])
  })

  test('go out as far as the app wants them; what was on its way may have arrived, and goes again', async () => {
    const asked = new Set<string>()
    const result = await comeBack({
      onParked(changes) {
        for (const { key } of changes) asked.add(key)
        return changes.filter(({ key }) => key === 'visits')
      },
    })
    expect(asked).toEqual(new Set(['visits', 'theme']))
    expect(result).toEqual(['ada', 'on its way', 2, 'light'])
  })
})
