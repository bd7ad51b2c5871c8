// The first paint: what can be read before storage has answered, and that it is nobody else's.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSession } from 'session-mirror'
import { create, goOffline, open, openLive, quiet, schema, server, signedIn } from './harness.ts'

let items: Map<string, string>
beforeEach(() => {
  items = new Map()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  })
})
afterEach(() => vi.unstubAllGlobals())

const boot = ['user', 'theme'] as const
const copies = (): string => JSON.stringify([...items])

test('a reload shows marked keys at once, and the others when storage has answered', async () => {
  const first = await signedIn({ boot })
  await first.set('theme', 'dark').acknowledged
  await first.set('note', 'not marked').acknowledged
  first.close()
  goOffline()
  const second = create({ boot })
  expect([second.get('user'), second.get('theme'), second.get('note')]).toEqual(['Ada', 'dark', ''])
  await second.ready
  expect([second.get('user'), second.get('theme'), second.get('note')]).toEqual(['Ada', 'dark', 'not marked'])
})

test('without marked keys nothing is copied', async () => {
  await signedIn()
  expect(items.size).toBe(0)
})

test('hidden keys, and those that the schema does not have, cannot be marked', () => {
  for (const key of ['secret', 'nothing'])
    expect(() => createSession({ schema, url: 'http://localhost/session', boot: [key as never] })).toThrow(
      /boot/,
    )
})

test('signing out takes the copy away, in whichever tab', async () => {
  const [a, b] = [await signedIn({ boot }), await openLive({ boot })]
  expect(copies()).toContain('Ada')
  await b.signOut()
  await quiet()
  expect(items.size).toBe(0)
  a.close()
  b.close()
  expect(create({ boot }).get('user')).toBeUndefined()
})

test('another user’s sign-in takes the place of the first', async () => {
  const session = await signedIn({ boot })
  await server.change((s) => {
    s.signIn('grace')
    s.set('user', 'Grace')
  })
  await session.pull()
  expect(copies()).toContain('Grace')
  expect(copies()).not.toContain('Ada')
})

test('a copy that the mirror does not bear out is gone as soon as that is read', async () => {
  const first = await signedIn({ boot })
  const stale = [...items]
  await first.signOut()
  first.close()
  items = new Map(stale)
  goOffline()
  const second = await open({ boot })
  expect(second.get('user')).toBeUndefined()
  expect(items.size).toBe(0)
})

test('a session without “remember me” leaves no copy', async () => {
  const session = await openLive({ boot })
  await server.change((s) => {
    s.signIn('ada', { persistent: false })
    s.set('user', 'Ada')
  })
  await session.pull()
  expect(session.get('user')).toBe('Ada')
  expect(items.size).toBe(0)
})

test('more than 32 KB are not copied, and what was copied before goes', async () => {
  const session = await signedIn({ boot: ['user', 'note'] })
  expect(items.size).toBe(1)
  await session.set('note', 'x'.repeat(40_000)).acknowledged
  expect(items.size).toBe(0)
  expect(session.get('note')).toHaveLength(40_000)
})

test('what is not a copy of ours is ignored, and a full or forbidden localStorage is none', async () => {
  await signedIn({ boot })
  const [name = ''] = items.keys()
  for (const text of [
    '',
    '{',
    '[]',
    '{"format":1,"keys":{}}',
    '{"format":99,"epoch":"abcdefgh","keys":{"user":[1,"Eve"]}}',
  ]) {
    items.set(name, text)
    expect(create({ boot }).get('user')).toBeUndefined()
  }
  vi.stubGlobal('localStorage', {
    getItem: () => null,
    setItem: () => {
      throw new DOMException('full', 'QuotaExceededError')
    },
    removeItem: () => undefined,
  })
  const session = await openLive({ boot })
  await session.set('theme', 'dark').acknowledged
  expect(session.get('theme')).toBe('dark')
})
