// The browser SDK against the real server core.
import { HttpResponse, http } from 'msw'
import { describe, expect } from 'vitest'
import { quiet, test } from './harness.ts'

describe('reading and writing', () => {
  test('a visitor without a session reads defaults, and makes no session by looking', async ({
    server,
    openLive,
  }) => {
    const session = await openLive()
    expect([session.get('theme'), session.get('user'), session.get('visits')]).toEqual([
      'light',
      undefined,
      0,
    ])
    expect(session.status).toEqual({ state: 'live' })
    expect(new Set(server.calls)).toEqual(new Set(['GET /session 200']))
    expect(session.inspect().local.mirror.epoch).toBeNull()
  })

  test('a write is visible at once, kept on disk, acknowledged, and on the server', async ({
    openLive,
    onServer,
  }) => {
    const session = await openLive()
    const write = session.set('theme', 'dark')
    expect(session.get('theme')).toBe('dark')
    expect(session.pending).toBe(1)
    expect(await write.stored).toBe('disk')
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
    expect(session.pending).toBe(0)
    expect(await onServer((s) => s.get('theme'))).toBe('dark')
  })

  test('quick writes share one batch, and only the last value of a key is sent', async ({
    server,
    openLive,
    onServer,
  }) => {
    const session = await openLive()
    const first = session.set('note', 'a')
    session.set('note', 'ab')
    session.increment('visits', 2)
    const last = session.set('note', 'abc')
    expect(await last.acknowledged).toMatchObject({ code: 'ok' })
    expect(await first.acknowledged).toEqual({ code: 'superseded' })
    expect(server.calls.filter((call) => call.includes('sync'))).toHaveLength(1)
    expect(await onServer((s) => [s.get('note'), s.get('visits')])).toEqual(['abc', 2])
  })

  test('a change on the server comes with the next pull, and subscribers hear of what changed, once', async ({
    server,
    openLive,
  }) => {
    const session = await openLive()
    await session.set('note', 'mine').acknowledged
    const heard: unknown[] = []
    session.subscribe('orders', (orders) => heard.push(orders))
    session.subscribe((keys) => heard.push(keys))
    await server.change((s) => s.set('orders', 3))
    await session.pull()
    await session.pull()
    expect(heard).toEqual([3, ['orders']])
  })

  test('the echo of our own write is no change', async ({ openLive }) => {
    const session = await openLive()
    const heard: unknown[] = []
    session.subscribe('list', (list) => heard.push(list))
    await session.set('list', ['a']).acknowledged
    expect(heard).toEqual([['a']])
    expect(session.get('list')).toBe(heard[0])
  })

  test('what the schema forbids is refused at the call, and nothing is sent', async ({ openLive }) => {
    const session = await openLive()
    const loose = session as unknown as {
      set(key: string, value: unknown): void
      get(key: string): void
      increment(key: string, by?: number): void
    }
    expect(() => loose.set('user', 'eve')).toThrow(expect.objectContaining({ code: 'denied' }))
    expect(() => loose.get('secret')).toThrow(expect.objectContaining({ code: 'denied' }))
    expect(() => loose.set('nope', 1)).toThrow(expect.objectContaining({ code: 'unknown-key' }))
    expect(() => loose.set('theme', 'pink')).toThrow(expect.objectContaining({ code: 'invalid' }))
    expect(() => loose.set('note', new Date())).toThrow(expect.objectContaining({ code: 'not-json' }))
    expect(() => loose.increment('theme')).toThrow(expect.objectContaining({ code: 'denied' }))
    expect(() => loose.increment('visits', 0.5)).toThrow(expect.objectContaining({ code: 'invalid' }))
    expect(() => loose.set('note', 'x'.repeat(270_000))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
    expect(session.pending).toBe(0)
  })

  test('a hidden key never reaches the browser', async ({ server, openLive }) => {
    const session = await openLive()
    await server.change((s) => s.set('secret', 'classified'))
    await session.pull()
    expect(JSON.stringify(session.inspect())).not.toContain('classified')
  })

  test('an update runs again on a newer value, so that two of them both count', async ({
    server,
    openLive,
    onServer,
  }) => {
    const session = await openLive()
    await session.set('list', ['a']).acknowledged
    await server.change((s) => s.set('list', ['a', 'server']))
    const outcome = await session.update('list', (list) => [...list, 'mine']).acknowledged
    expect(outcome).toMatchObject({ code: 'ok' })
    expect(session.get('list')).toEqual(['a', 'server', 'mine'])
    expect(await onServer((s) => s.get('list'))).toEqual(['a', 'server', 'mine'])
  })

  test('quick updates of one key all count, without a conflict', async ({ openLive, onServer }) => {
    const session = await openLive()
    await session.set('list', []).acknowledged
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const { acknowledged } = session.update('list', (list) => [...list, name])
        await quiet(15)
        return acknowledged
      }),
    )
    expect(await onServer((s) => s.get('list'))).toEqual(['a', 'b', 'c'])
  })

  test('a write on an old value loses under if-unchanged, and the app hears both values', async ({
    server,
    openLive,
  }) => {
    const session = await openLive()
    await session.set('strict', 'first').acknowledged
    await server.change((s) => s.set('strict', 'of the server'))
    const conflicts: unknown[] = []
    session.on('conflict', (conflict) => conflicts.push(conflict))
    expect(await session.set('strict', 'mine').acknowledged).toMatchObject({
      code: 'conflict',
      value: 'of the server',
    })
    expect(conflicts).toEqual([{ key: 'strict', mine: 'mine', theirs: 'of the server' }])
    expect(session.get('strict')).toBe('of the server')
  })
})

describe('without a network', () => {
  test('a reload shows the session, and says that it was not checked', async ({
    goOffline,
    open,
    openLive,
  }) => {
    const first = await openLive()
    await first.set('note', 'kept').acknowledged
    first.close()
    goOffline()
    const second = await open()
    expect(second.get('note')).toBe('kept')
    expect(second.status).toMatchObject({ state: 'stale' })
  })

  test('writes are kept over a restart and applied once when the network is back', async ({
    goOffline,
    open,
    openLive,
    onServer,
  }) => {
    const first = await openLive()
    await first.set('theme', 'dark').acknowledged
    goOffline()
    for (let count = 0; count < 10; count++) await first.increment('visits').stored
    await first.flush()
    first.close()
    goOffline(false)
    const second = await open()
    expect(second.get('visits')).toBe(10)
    expect(await second.flush()).toEqual({ pending: 0 })
    expect(await onServer((s) => s.get('visits'))).toBe(10)
  })

  test('an answer that is lost after the commit is asked for again, and the batch applied once', async ({
    network,
    server,
    openLive,
    onServer,
  }) => {
    const session = await openLive()
    await session.set('theme', 'dark').acknowledged
    let lost = 0
    network.use(
      http.post('*/session/sync', async ({ request }) => {
        if (lost++ >= 3) return undefined
        const passed = await server.handlers[1]?.run({ request, requestId: 'lost' })
        expect(passed?.response?.status).toBe(200)
        return HttpResponse.error()
      }),
    )
    const write = session.increment('visits')
    while (session.pending > 0) await session.flush()
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
    expect(lost).toBeGreaterThan(3)
    expect(await onServer((s) => s.get('visits'))).toBe(1)
  })

  test('a sign-out wipes at once, is queued, and is the first thing sent', async ({
    server,
    goOffline,
    openLive,
    onServer,
  }) => {
    const session = await openLive()
    await server.change((s) => {
      s.signIn('ada')
      s.set('user', 'Ada')
    })
    await session.pull()
    expect(session.owner).toBe('ada')
    goOffline()
    expect(await session.signOut()).toEqual({ server: 'queued', device: 'clean' })
    expect(session.get('user')).toBeUndefined()
    expect(session.status).toEqual({ state: 'signed-out', reason: 'signed-out' })
    const before = server.calls.length
    goOffline(false)
    session.set('theme', 'dark')
    await session.flush()
    await quiet()
    expect(server.calls[before]).toBe('DELETE /session 200')
    expect(await onServer((s) => s.owner)).toBeNull()
  })
})

describe('the end of a session', () => {
  test('a stale cookie is refreshed, and nobody notices', async ({ server, signedIn }) => {
    const session = await signedIn()
    server.clock.advance(16 * 60)
    expect(await session.set('note', 'later').acknowledged).toMatchObject({ code: 'ok' })
    expect(session.owner).toBe('ada')
    expect(server.calls.filter((call) => call.startsWith('POST /session/refresh'))).toEqual([
      'POST /session/refresh 200',
    ])
  })

  test('a session that was idle for too long is over, and says why; what was unsent is parked', async ({
    server,
    goOffline,
    signedIn,
    onServer,
  }) => {
    const session = await signedIn()
    goOffline()
    const write = session.set('note', 'never sent')
    await session.flush()
    server.clock.advance(2 * 86_400)
    goOffline(false)
    await session.flush()
    expect(session.status).toEqual({ state: 'signed-out', reason: 'expired' })
    expect(await write.acknowledged).toEqual({ code: 'parked' })
    expect(JSON.stringify(session.inspect().local.parcels.map((parcel) => typeof parcel.data))).toBe(
      '["object"]',
    )
    await server.change((s) => s.signIn('ada'))
    await session.pull()
    await session.flush()
    expect(await onServer((s) => s.get('note'))).toBe('never sent')
  })

  test('a session that the store lost is reported with its keys, never an empty session in silence', async ({
    server,
    signedIn,
  }) => {
    const session = await signedIn()
    server.clock.advance(1)
    const store = server.store as { read: typeof server.store.read }
    const { read } = store
    store.read = async () => ({ kind: 'miss' })
    await session.pull()
    store.read = read
    expect(session.status).toEqual({ state: 'lost', keys: ['user'] })
    expect(session.get('user')).toBeUndefined()
  })

  test('a store that is down signs nobody out: reads and writes go on, and everything goes through later, once', async ({
    server,
    signedIn,
    onServer,
  }) => {
    const session = await signedIn()
    server.store.isDown = true
    const write = session.increment('visits')
    await session.flush()
    expect(session.status).toEqual({ state: 'stale', reason: 'unavailable' })
    expect([session.get('user'), session.get('visits'), session.pending]).toEqual(['Ada', 1, 1])
    server.store.isDown = false
    await session.flush()
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
    expect(await onServer((s) => s.get('visits'))).toBe(1)
    expect(session.status).toEqual({ state: 'live' })
  })

  test('a proxy’s error page is no answer of the session’s', async ({ network, signedIn }) => {
    const session = await signedIn()
    network.use(http.all('*/session*', () => new HttpResponse('<h1>502</h1>', { status: 502 })))
    await session.pull()
    expect(session.status).toEqual({ state: 'stale', reason: 'unavailable' })
    expect(session.get('user')).toBe('Ada')
  })

  test('another user’s sign-in replaces everything, and the first one’s unsent write does not reach the second', async ({
    server,
    goOffline,
    signedIn,
    onServer,
  }) => {
    const session = await signedIn()
    goOffline()
    await session.set('note', 'secret of ada').stored
    goOffline(false)
    await server.change((s) => s.signIn('grace'))
    const owners: unknown[] = []
    session.on('owner', (change) => owners.push(change))
    await session.flush()
    expect(session.owner).toBe('grace')
    expect([session.get('user'), session.get('note')]).toEqual([undefined, ''])
    expect(owners).toEqual([{ owner: 'grace', previous: 'ada' }])
    expect(await onServer((s) => s.get('note'))).toBe('')
  })

  test('signOut refuses unsent writes when told to, and keeps them', async ({ goOffline, signedIn }) => {
    const session = await signedIn()
    goOffline()
    session.set('note', 'unsent')
    await expect(session.signOut({ pending: 'refuse' })).rejects.toMatchObject({ code: 'pending-writes' })
    expect(session.owner).toBe('ada')
    expect(session.pending).toBe(1)
  })

  test('signOut flushes unsent writes first', async ({ signedIn }) => {
    const session = await signedIn()
    const write = session.set('note', 'just in time')
    expect(await session.signOut()).toEqual({ server: 'confirmed', device: 'clean' })
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
  })
})

describe('session.fetch', () => {
  test('session.fetch refreshes a stale cookie first, once for twenty requests', async ({
    network,
    server,
    openLive,
  }) => {
    const session = await openLive()
    await server.change((s) => s.signIn('ada'))
    await session.pull()
    network.use(
      server.route('get', 'http://localhost/api/me', (_request, s) => Response.json({ owner: s.owner })),
    )
    server.clock.advance(16 * 60)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => session.fetch('http://localhost/api/me')),
    )
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(await answers[0]?.json()).toEqual({ owner: 'ada' })
    expect(server.calls.filter((call) => call.startsWith('POST /session/refresh'))).toHaveLength(1)
  })

  test('the new session of a sign-in by fetch is there when the answer is', async ({
    network,
    server,
    openLive,
  }) => {
    const session = await openLive()
    network.use(
      server.route('post', 'http://localhost/api/sign-in', (_request, s) => {
        s.signIn('ada')
        s.set('user', 'Ada')
        return Response.json({})
      }),
    )
    await session.fetch('http://localhost/api/sign-in', { method: 'POST' })
    expect(session.get('user')).toBe('Ada')
  })

  test('a newer revision in any answer brings the news', async ({ network, server, openLive }) => {
    const session = await openLive()
    await server.change((s) => s.set('user', 'Ada'))
    await session.pull()
    network.use(
      server.route('post', 'http://localhost/api/order', (_request, s) => {
        s.update('orders', (orders) => orders + 1)
        return Response.json({})
      }),
    )
    const heard = new Promise((resolve) => session.subscribe('orders', resolve))
    await session.fetch('http://localhost/api/order', { method: 'POST' })
    expect(await heard).toBe(1)
  })
})

test('an app request that is refused because the cookie is another session’s brings the page up to date', async ({
  network,
  server,
  openLive,
}) => {
  const session = await openLive()
  await server.change((s) => s.signIn('ada'))
  await session.pull()
  await server.change((s) => s.signIn('grace'))
  network.use(
    server.route('get', 'http://localhost/api/me', (_request, s) => Response.json({ owner: s.owner })),
  )
  expect((await session.fetch('http://localhost/api/me')).status).toBe(409)
  expect(session.owner).toBe('grace')
  expect((await session.fetch('http://localhost/api/me')).status).toBe(200)
})

test('a closed session throws nothing at whoever still holds it', async ({ openLive }) => {
  const session = await openLive()
  session.close()
  expect(await session.set('note', 'late').stored).toBe('disk')
})
