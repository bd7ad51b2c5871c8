// The first paint: what can be read before storage has answered, and that it is nobody else's.
import { expect, onTestFinished, vi } from 'vitest'
import { createSession } from 'session-mirror'
import { quiet, schema, test as base } from './harness.ts'

const test = base
  /** What is in this test's localStorage. */
  .extend('items', { auto: true }, ({}, { onCleanup }): Map<string, string> => {
    const items = new Map<string, string>()
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
      removeItem: (key: string) => void items.delete(key),
    })
    onCleanup(() => void vi.unstubAllGlobals())
    return items
  })
  .extend(
    'copies',
    ({ items }) =>
      (): string =>
        JSON.stringify([...items]),
  )

const boot = ['user', 'theme'] as const

test('a reload shows marked keys at once, and the others when storage has answered', async ({
  goOffline,
  create,
  signedIn,
}) => {
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

test('a write before storage has answered stands on top of the copy, and takes nothing else away', async ({
  goOffline,
  create,
  signedIn,
}) => {
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

test('nothing is copied when no keys are marked', async ({ items, signedIn }) => {
  await signedIn()
  expect(items.size).toBe(0)
})

test('a page without marked keys leaves the copy of another page alone, until the session is over', async ({
  items,
  copies,
  openLive,
  signedIn,
}) => {
  const first = await signedIn({ boot })
  first.close()
  const other = await openLive()
  expect(copies()).toContain('Ada')
  await other.set('theme', 'dark').acknowledged
  expect(copies()).toContain('Ada')
  await other.signOut()
  expect(items.size).toBe(0)
})

test('changes of other keys do not write the copy again', async ({ signedIn }) => {
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

test('signing out takes the copy away, in whichever tab', async ({
  items,
  copies,
  create,
  openLive,
  signedIn,
}) => {
  const [a, b] = [await signedIn({ boot }), await openLive({ boot })]
  expect(copies()).toContain('Ada')
  await b.signOut()
  await quiet()
  expect(items.size).toBe(0)
  a.close()
  b.close()
  expect(create({ boot }).get('user')).toBeUndefined()
})

test('a reload shows nothing while a sign-out is queued', async ({ items, goOffline, create, signedIn }) => {
  const first = await signedIn({ boot })
  goOffline()
  expect(await first.signOut()).toEqual({ server: 'queued', device: 'clean' })
  first.close()
  expect(items.size).toBe(0)
  expect(create({ boot }).get('user')).toBeUndefined()
})

test('the end of the session takes the copy away', async ({ items, copies, server, signedIn }) => {
  const session = await signedIn({ boot })
  expect(copies()).toContain('Ada')
  server.clock.advance(3 * 86_400)
  await session.pull()
  expect(session.status).toMatchObject({ state: 'signed-out', reason: 'expired' })
  expect(items.size).toBe(0)
})

test('another user’s sign-in takes the place of the first', async ({ copies, server, signedIn }) => {
  const session = await signedIn({ boot })
  await server.change((s) => {
    s.signIn('grace')
    s.set('user', 'Grace')
  })
  await session.pull()
  expect(copies()).toContain('Grace')
  expect(copies()).not.toContain('Ada')
})

test('a copy that the mirror does not bear out is gone as soon as that is read', async ({
  items,
  goOffline,
  open,
  signedIn,
}) => {
  const first = await signedIn({ boot })
  const stale = [...items]
  await first.signOut()
  first.close()
  for (const [name, value] of stale) items.set(name, value)
  goOffline()
  const second = await open({ boot })
  expect(second.get('user')).toBeUndefined()
  expect(items.size).toBe(0)
})

test('a session without “remember me” leaves no copy', async ({ items, server, openLive }) => {
  const session = await openLive({ boot })
  await server.change((s) => {
    s.signIn('ada', { persistent: false })
    s.set('user', 'Ada')
  })
  await session.pull()
  expect(session.get('user')).toBe('Ada')
  expect(items.size).toBe(0)
})

test('more than 32 KB are not copied, and what was copied before goes', async ({ items, signedIn }) => {
  const session = await signedIn({ boot: ['user', 'note'] })
  expect(items.size).toBe(1)
  await session.set('note', 'x'.repeat(40_000)).acknowledged
  expect(items.size).toBe(0)
  expect(session.get('note')).toHaveLength(40_000)
})

test('text that is not a copy of ours is ignored, and a full or forbidden localStorage is none', async ({
  items,
  create,
  openLive,
  signedIn,
}) => {
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

test('a start that needs neither localStorage nor sessionStorage opens neither before it is ready', async ({
  create,
}) => {
  const opened: string[] = []
  const items = globalThis.localStorage
  for (const name of ['localStorage', 'sessionStorage'] as const)
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get() {
        opened.push(name)
        return items
      },
    })
  onTestFinished(() => void Reflect.deleteProperty(globalThis, 'sessionStorage'))
  // A second after the start it looks into sessionStorage, as it should. On a slow machine the write below takes longer than
  // that: timers of a second or more do not run out here.
  const { setTimeout: start } = globalThis
  const timers = vi
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation((run, milliseconds = 0) => start(run, milliseconds < 1000 ? milliseconds : 600_000))
  onTestFinished(() => timers.mockRestore())
  const session = create()
  await session.ready
  await session.set('theme', 'dark').stored
  expect(opened).toEqual([])
  // A page that copies keys asks at once.
  create({ boot })
  expect(opened).toContain('localStorage')
})

test('a copy of a session that was not heard of for too long is not shown for a moment either', async ({
  server,
  goOffline,
  create,
  signedIn,
}) => {
  const first = await signedIn({ boot, offlineSeconds: 0 })
  first.close()
  goOffline()
  const { expiresAt, notedAt } = first.inspect().local.mirror
  server.clock.advance((expiresAt - notedAt) / 1000 - 60)
  expect(create({ boot, offlineSeconds: 0 }).get('user')).toBe('Ada')
  server.clock.advance(180)
  expect(create({ boot, offlineSeconds: 0 }).get('user')).toBe(undefined)
})
