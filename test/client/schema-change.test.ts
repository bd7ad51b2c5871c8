// Code that changes: a page whose schema is another one than that of the page, or the server, that wrote a value.
import { afterEach, describe, expect, vi } from 'vitest'
import { createSession } from 'session-mirror'
import { defineSession, readable, writable } from 'session-mirror/schema'
import * as v from 'valibot'
import { test as base } from './harness.ts'

afterEach(() => vi.unstubAllGlobals())

const url = 'http://localhost/session'
const later = defineSession({
  user: readable(v.object({ name: v.string() })),
  theme: writable(v.picklist(['light', 'dark', 'sepia']), { default: 'light' }),
  list: writable(v.array(v.object({ id: v.string() })), { default: [] }),
})

const test = base
  /** What an older page left on disk, opened by a newer one that is offline. */
  .extend(
    'openLater',
    ({ signedIn, goOffline, server }) =>
      async (options: Partial<Parameters<typeof createSession<typeof later>>[0]> = {}) => {
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
      },
  )
  /** One change was on its way, two were waiting, when somebody else signed in; then their owner is back. */
  .extend(
    'comeBack',
    ({ signedIn, goOffline, server, onServer }) =>
      async (options: Parameters<typeof signedIn>[0] = {}, awaySeconds = 0) => {
        const session = await signedIn(options)
        const discarded: unknown[] = []
        session.on('discarded', ({ reason, changes }) =>
          discarded.push([reason, changes.map(({ key }) => key)]),
        )
        goOffline()
        await session.set('note', 'on its way').stored
        await session.flush()
        await session.increment('visits', 2).stored
        await session.set('theme', 'dark').stored
        await server.change((s) => s.signIn('grace'))
        goOffline(false)
        await session.pull()
        expect(session.pending).toBe(0)
        server.clock.advance(awaySeconds)
        await server.change((s) => s.signIn('ada'))
        await session.pull()
        await session.flush()
        expect(session.pending).toBe(0)
        return {
          session,
          discarded,
          kept: await onServer((s) => [s.owner, s.get('note'), s.get('visits'), s.get('theme')]),
        }
      },
  )

describe('a newer schema', () => {
  test('a newer schema shows what its validators take, and what they refuse as not set', async ({
    openLater,
  }) => {
    const session = await openLater()
    expect(session.get('theme')).toBe('dark')
    expect(session.get('user')).toBeUndefined()
    expect(session.get('list')).toEqual([])
    session.close()
  })

  test('the app makes old values into new ones, which are checked', async ({ openLater }) => {
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

  test('a write of a key that the server does not have is denied, and the others of its batch are not', async ({
    server,
  }) => {
    const newest = defineSession({
      theme: writable<string>({ default: 'light' }),
      brandNew: writable<string>({ default: '' }),
    })
    const session = createSession({ schema: newest, url, now: server.clock.now })
    await session.ready
    await session.pull()
    const refused: unknown[] = []
    session.on('refused', ({ mutation, outcome }) => refused.push([mutation.key, outcome.code]))
    const [unknown, known] = [session.set('brandNew', 'x'), session.set('theme', 'dark')]
    expect(await unknown.acknowledged).toEqual({ code: 'denied' })
    expect(await known.acknowledged).toMatchObject({ code: 'ok' })
    expect(refused).toEqual([['brandNew', 'denied']])
    expect([session.get('brandNew'), session.get('theme')]).toEqual(['', 'dark'])
    session.close()
  })

  test('keys that the newer schema does not have are not shown, and their unsent changes are answered by the server', async ({
    server,
    goOffline,
    signedIn,
    onServer,
  }) => {
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

/** What newer code of this library does to the database: its documents have a higher format. */
async function leaveNewerFormat(): Promise<void> {
  const [{ name = '' } = {}] = await indexedDB.databases()
  const database = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(name)
    request.addEventListener('success', () => resolve(request.result))
  })
  const transaction = database.transaction('mirror', 'readwrite')
  transaction.objectStore('mirror').put({ format: 99, version: 1, ofTheFuture: true }, 'mirror')
  await new Promise((resolve) => transaction.addEventListener('complete', resolve))
  database.close()
}

describe('newer code beside this one', () => {
  test('a page with older code says “outdated”, goes on in memory with the server, and leaves the newer mirror alone', async ({
    open,
    signedIn,
    onServer,
  }) => {
    const session = await signedIn()
    const told: string[] = []
    session.on('outdated', () => told.push('outdated'))
    session.on('durability', (durability) => told.push(durability))
    await leaveNewerFormat()
    await session.pull()
    expect(told).toEqual(['memory', 'outdated'])
    expect([session.durability, session.get('user'), session.status.state]).toEqual(['memory', 'Ada', 'live'])
    const write = session.set('theme', 'dark')
    expect(await write.stored).toBe('memory')
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
    expect(await onServer((s) => s.get('theme'))).toBe('dark')
    expect((await open()).durability).toBe('memory')
  })
})

describe('parked changes', () => {
  test('parked changes go out when their owner is back', async ({ comeBack }) => {
    const { kept, discarded } = await comeBack()
    expect(kept).toEqual(['ada', 'on its way', 2, 'dark'])
    expect(discarded).toEqual([])
  })

  test('parked changes go out as far as the app wants them; what was on its way may have arrived, and goes again', async ({
    comeBack,
  }) => {
    const asked = new Set<string>()
    const { kept, discarded } = await comeBack({
      onParked(changes) {
        for (const { key } of changes) asked.add(key)
        return changes.filter(({ key }) => key === 'visits')
      },
    })
    expect(asked).toEqual(new Set(['visits', 'theme']))
    expect(kept).toEqual(['ada', 'on its way', 2, 'light'])
    expect(discarded).toEqual([['unwanted', ['theme']]])
  })

  test('parked changes all go out when the app’s choice throws, and nothing else comes to harm', async ({
    comeBack,
  }) => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const { session, kept, discarded } = await comeBack({
      onParked() {
        throw new Error('of the app')
      },
    })
    expect(reported).toHaveBeenCalled()
    expect(session.durability).toBe('disk')
    expect(kept).toEqual(['ada', 'on its way', 2, 'dark'])
    expect(discarded).toEqual([])
  })

  test('parked changes are given up when their owner comes back after more than a week, who is told which', async ({
    comeBack,
  }) => {
    const { session, kept, discarded } = await comeBack({}, 8 * 86_400)
    expect(kept).toEqual(['ada', '', 0, 'light'])
    expect(discarded).toEqual([['overdue', ['note', 'visits', 'theme']]])
    expect(session.inspect().local.parcels).toEqual([])
  })

  test('parked changes wait while another owner is here, after a session that was idle for too long', async ({
    server,
    goOffline,
    signedIn,
    onServer,
  }) => {
    const session = await signedIn()
    goOffline()
    await session.set('note', 'of ada').stored
    goOffline(false)
    server.clock.advance(3 * 86_400)
    await session.flush()
    expect(session.status).toMatchObject({ state: 'signed-out', reason: 'expired' })
    await server.change((s) => s.signIn('grace'))
    await session.pull()
    await session.flush()
    expect([await onServer((s) => s.get('note')), session.inspect().local.parcels.length]).toEqual(['', 1])
    await server.change((s) => s.signIn('ada'))
    await session.pull()
    await session.flush()
    expect([await onServer((s) => s.get('note')), session.inspect().local.parcels.length]).toEqual([
      'of ada',
      0,
    ])
  })

  test('the tab that wrote hears that its changes were parked, whichever tab noticed', async ({
    server,
    goOffline,
    openLive,
    signedIn,
  }) => {
    const [writer, other] = [await signedIn(), await openLive()]
    const told: number[] = []
    writer.on('parked', ({ count }) => told.push(count))
    goOffline()
    const write = writer.set('note', 'of ada')
    await write.stored
    await server.change((s) => s.signIn('grace'))
    goOffline(false)
    await other.pull()
    expect(await write.acknowledged).toEqual({ code: 'parked' })
    expect(told).toEqual([1])
  })
})
