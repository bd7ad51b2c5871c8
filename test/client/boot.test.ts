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

test('a write before storage has answered stands on top of the copy, and takes nothing else away', async () => {
  const first = await signedIn({ boot })
  first.close()
  goOffline()
  const second = create({ boot })
  const changes: string[][] = []
  second.subscribe((keys) => changes.push([...keys]))
  second.set('theme', 'dark')
  expect([second.get('user'), second.get('theme')]).toEqual(['Ada', 'dark'])
  await second.ready
  expect([second.get('user'), second.get('theme')]).toEqual(['Ada', 'dark'])
  // What the copy had right is no change.
  expect(changes).toEqual([['theme']])
})

test('nothing is copied when no keys are marked', async () => {
  await signedIn()
  expect(items.size).toBe(0)
})

test('a page without marked keys leaves the copy of another page alone, until the session is over', async () => {
  const first = await signedIn({ boot })
  first.close()
  const other = await openLive()
  expect(copies()).toContain('Ada')
  await other.set('theme', 'dark').acknowledged
  expect(copies()).toContain('Ada')
  await other.signOut()
  expect(items.size).toBe(0)
})

test('changes of other keys do not write the copy again', async () => {
  const session = await signedIn({ boot })
  const written = vi.spyOn(localStorage, 'setItem')
  await session.set('note', 'not marked').acknowledged
  await session.increment('visits').acknowledged
  expect(written).not.toHaveBeenCalled()
  await session.set('theme', 'dark').acknowledged
  expect(written).toHaveBeenCalledTimes(1)
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

test('a reload shows nothing while a sign-out is queued', async () => {
  const first = await signedIn({ boot })
  goOffline()
  expect(await first.signOut()).toEqual({ server: 'queued' })
  first.close()
  expect(items.size).toBe(0)
  expect(create({ boot }).get('user')).toBeUndefined()
})

test('the end of the session takes the copy away', async () => {
  const session = await signedIn({ boot })
  expect(copies()).toContain('Ada')
  server.clock.advance(3 * 86_400)
  await session.pull()
  expect(session.status).toMatchObject({ state: 'signed-out', reason: 'expired' })
  expect(items.size).toBe(0)
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

test('text that is not a copy of ours is ignored, and a full or forbidden localStorage is none', async () => {
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
    const session = create({ boot })
    expect(session.get('user')).toBeUndefined()
    expect(items.size).toBe(0)
    session.close()
  }
  const full = (): never => {
    throw new DOMException('full', 'QuotaExceededError')
  }
  const forbidden = (): never => {
    throw new DOMException('forbidden', 'SecurityError')
  }
  for (const storage of [
    { getItem: () => null, setItem: full, removeItem: () => undefined },
    { getItem: forbidden, setItem: forbidden, removeItem: forbidden },
    undefined,
  ]) {
    vi.stubGlobal('localStorage', storage)
    const session = await openLive({ boot })
    await session.set('theme', 'dark').acknowledged
    expect([session.get('theme'), session.durability]).toEqual(['dark', 'disk'])
    session.close()
  }
})
