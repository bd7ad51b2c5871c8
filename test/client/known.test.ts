// State that frameworks can hold: one object until it changes, an event for each change, and a promise for guards of routes.
import { describe, expect } from 'vitest'
import { test } from './harness.ts'

describe('the end of the session', () => {
  test('expiresAt is one and the same Date until the end moves, so that a framework may compare it', async ({
    server,
    signedIn,
  }) => {
    const session = await signedIn()
    const first = session.expiresAt
    expect(first).toBeInstanceOf(Date)
    server.clock.advance(0.4)
    expect(session.expiresAt).toBe(first)
    await session.pull()
    expect(session.expiresAt).toBe(first)
    server.clock.advance(60)
    await session.pull()
    expect(session.expiresAt?.getTime()).toBe((first?.getTime() ?? 0) + 60_400)
  })

  test('each change of expiresAt is told, with the Date that the session has then', async ({
    server,
    openLive,
  }) => {
    const session = await openLive()
    const told: unknown[] = []
    session.on('expiresAt', (end) => told.push(end, end === session.expiresAt))
    await server.change((own) => own.signIn('ada'))
    await session.pull()
    await session.pull()
    expect(told).toEqual([session.expiresAt, true])
    await session.signOut()
    expect(told.slice(2)).toEqual([null, true])
  })
})

describe('the number of pending changes', () => {
  test('each change of pending is told once, with the number that the session has then', async ({
    goOffline,
    signedIn,
  }) => {
    const session = await signedIn()
    const told: unknown[] = []
    session.on('pending', (count) => told.push(count, session.pending))
    goOffline()
    session.set('note', 'a')
    session.set('theme', 'dark')
    session.set('note', 'b')
    expect(told).toEqual([1, 1, 2, 2])
    goOffline(false)
    await session.flush()
    expect(told).toEqual([1, 1, 2, 2, 0, 0])
  })

  test('changes that an earlier page left are told when they are read', async ({
    goOffline,
    open,
    signedIn,
  }) => {
    const first = await signedIn()
    goOffline()
    await first.set('note', 'left').stored
    first.close()
    const told: number[] = []
    const session = await open()
    session.on('pending', (count) => told.push(count))
    expect(session.pending).toBe(1)
    goOffline(false)
    await session.flush()
    expect(told).toEqual([0])
  })
})

describe('who is here', () => {
  test('known resolves with the first answer of the server, when a person with an empty mirror is known', async ({
    create,
    signedIn,
  }) => {
    const before = await signedIn()
    before.close()
    const { IDBFactory } = await import('fake-indexeddb')
    globalThis.indexedDB = new IDBFactory()
    const session = create()
    await session.ready
    expect(session.owner).toBeNull()
    await session.known
    expect([session.owner, session.get('user'), session.status]).toEqual(['ada', 'Ada', { state: 'live' }])
  })

  test('known resolves without a network, and the status says that the server could not be reached', async ({
    create,
    goOffline,
  }) => {
    goOffline()
    const session = create()
    await session.known
    expect(session.status).toEqual({ state: 'stale', reason: 'offline' })
  })

  test('known resolves after ready, also where the app asks at once', async ({ create }) => {
    const session = create()
    const order: string[] = []
    void session.ready.then(() => order.push('ready'))
    void session.known.then(() => order.push('known'))
    await session.pull()
    await session.known
    expect(order).toEqual(['ready', 'known'])
  })

  test('known resolves when a session is closed before the server has answered', async ({ create }) => {
    const session = create({ fetch: () => new Promise(() => undefined) })
    await session.ready
    session.close()
    await session.known
    expect(session.owner).toBeNull()
  })
})
