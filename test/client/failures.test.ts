// The cases that went wrong once: races, second tabs, broken storage and unreasonable servers.
import { HttpResponse, http } from 'msw'
import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../../src/mirror/storage/memory-storage.ts'
import { create, goOffline, network, onServer, open, openLive, quiet, server, signedIn } from './harness.ts'

describe('two tabs', () => {
  test('that update one key in the same moment both count, online and offline', async () => {
    const [a, b] = [await openLive(), await openLive()]
    await a.set('list', []).acknowledged
    await b.pull()
    await Promise.all(
      [a.update('list', (l) => [...l, 'a']), b.update('list', (l) => [...l, 'b'])].map((w) => w.acknowledged),
    )
    expect((await onServer((s) => s.get('list'))).toSorted()).toEqual(['a', 'b'])

    await b.pull()
    goOffline()
    const offline = [a.update('list', (l) => [...l, 'c']), b.update('list', (l) => [...l, 'd'])]
    await Promise.all(offline.map((write) => write.stored))
    goOffline(false)
    await a.flush()
    await Promise.all(offline.map((write) => write.acknowledged))
    expect((await onServer((s) => s.get('list'))).toSorted()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('that update one key several times each lose none of it when the server is further', async () => {
    const [a, b] = [await openLive(), await openLive()]
    await a.set('list', []).acknowledged
    await b.pull()
    goOffline()
    const add = (word: string) => (list: readonly string[]) => [...list, word]
    const writes = ['a1', 'a2', 'a3'].map((word) => a.update('list', add(word)))
    writes.push(...['b1', 'b2'].map((word) => b.update('list', add(word))))
    await Promise.all(writes.map((write) => write.stored))
    await server.change((s) => s.update('list', add('server')))
    goOffline(false)
    await a.flush()
    const outcomes = await Promise.all(writes.map((write) => write.acknowledged))
    expect(outcomes.map(({ code }) => code)).toEqual(['superseded', 'superseded', 'ok', 'superseded', 'ok'])
    const list = await onServer((s) => s.get('list'))
    expect(list.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'server'])
  })

  test('of which one is in memory mode both learn of a sign-out, on either side', async () => {
    const disk = await signedIn()
    const memory = await openLive({ storage: memoryStorage() })
    expect(memory.owner).toBe('ada')
    await disk.signOut()
    await quiet(200)
    expect(memory.owner).toBeNull()

    await server.change((s) => s.signIn('ada'))
    await Promise.all([disk.pull(), memory.pull()])
    goOffline()
    expect(await memory.signOut()).toEqual({ server: 'queued' })
    await quiet(100)
    expect(disk.owner).toBeNull()
  })
})

describe('signing out', () => {
  test('of a session that this browser has not been told of yet ends that session', async () => {
    await server.change((s) => s.signIn('ada'))
    const session = await open()
    expect(await session.signOut()).toEqual({ server: 'confirmed' })
    await session.pull()
    expect(session.owner).toBeNull()
    expect(await onServer((s) => s.owner)).toBeNull()
  })

  test('before the first answer, without a network, is queued and not forgotten', async () => {
    await server.change((s) => s.signIn('ada'))
    goOffline()
    const session = await open()
    expect(await session.signOut()).toEqual({ server: 'queued' })
    goOffline(false)
    await session.pull()
    expect(await onServer((s) => s.owner)).toBeNull()
  })

  test('right after the page began still sees the unsent writes on disk', async () => {
    const first = await signedIn()
    goOffline()
    await first.set('note', 'unsent').stored
    first.close()
    const second = create()
    await expect(second.signOut({ pending: 'refuse' })).rejects.toMatchObject({ code: 'pending-writes' })
    expect(second.pending).toBe(1)
  })

  test('while it is queued, no request of the app reads the session that was left', async () => {
    const session = await signedIn()
    network.use(
      server.route('get', 'http://localhost/api/me', (_request, s) => Response.json({ owner: s.owner })),
    )
    goOffline()
    await session.signOut()
    // The sign-out itself cannot get through; the request could.
    network.use(http.delete('*/session', () => HttpResponse.error()))
    goOffline(false)
    const answer = await session.fetch('http://localhost/api/me')
    expect(answer.status).toBe(409)
    network.resetHandlers(
      ...server.handlers,
      server.route('get', 'http://localhost/api/me', (_r, s) => Response.json({ owner: s.owner })),
    )
    expect(await (await session.fetch('http://localhost/api/me')).json()).toEqual({ owner: null })
  })
})

describe('writes', () => {
  test('inside a subscriber are followed like any other', async () => {
    const session = await openLive()
    const inner: Promise<unknown>[] = []
    session.subscribe('theme', () => inner.push(session.set('note', 'from a subscriber').acknowledged))
    session.set('theme', 'dark')
    expect(await inner[0]).toMatchObject({ code: 'ok' })
  })

  test('under merge, quickly one after another, lose nothing of the server’s', async () => {
    const session = await openLive()
    await session.set('tags', ['base']).acknowledged
    await server.change((s) => s.set('tags', ['base', 'theirs']))
    const first = session.set('tags', ['base', 'm1'])
    await quiet(25)
    const second = session.set('tags', ['base', 'm1', 'm2'])
    await Promise.all([first.acknowledged, second.acknowledged])
    expect((await onServer((s) => s.get('tags'))).toSorted()).toEqual(['base', 'm1', 'm2', 'theirs'])
  })

  test('of null are kept, also where there is a default', async () => {
    const session = await openLive()
    await session.set('nullable', null).acknowledged
    expect([session.get('nullable'), await onServer((s) => s.get('nullable'))]).toEqual([null, null])
  })

  test('made before the first answer belong to whoever the cookie names', async () => {
    await server.change((s) => s.signIn('ada'))
    const session = await open()
    const write = session.set('note', 'mine')
    expect(await write.acknowledged).toMatchObject({ code: 'ok' })
    expect(await onServer((s) => [s.owner, s.get('note')])).toEqual(['ada', 'mine'])
  })

  test('whose update throws when it runs again are invalid, not a rejection', async () => {
    const session = await openLive()
    await session.set('list', ['a']).acknowledged
    await server.change((s) => s.set('list', ['a', 'server']))
    let runs = 0
    const write = session.update('list', (list) => {
      if (runs++ > 0) throw new Error('not twice')
      return [...list, 'mine']
    })
    expect(await write.acknowledged).toEqual({ code: 'invalid', message: 'not twice' })
  })

  test('of many increments offline stay cheap: settling a batch rewrites nothing else', async () => {
    const session = await openLive()
    await session.set('note', 'begin').acknowledged
    goOffline()
    for (let count = 0; count < 1000; count++) session.increment('visits')
    expect(session.get('visits')).toBe(1000)
    goOffline(false)
    expect(await session.flush()).toEqual({ pending: 0 })
    expect(await onServer((s) => s.get('visits'))).toBe(1000)
  })
})

describe('unreasonable servers', () => {
  test('that ask to be left alone for a month are asked again within the hour, not within the millisecond', async () => {
    const session = await openLive()
    let requests = 0
    network.use(
      http.all('*/session*', () => {
        requests++
        const problem = { code: 'store-unavailable', status: 503 }
        return HttpResponse.json(problem, { status: 503, headers: { 'retry-after': '2592000' } })
      }),
    )
    await session.pull()
    await quiet(300)
    expect(requests).toBe(1)
  })

  test.each(['epoch-mismatch', 'stale'])('that always say %s are not hammered', async (code) => {
    const session = await signedIn()
    let requests = 0
    network.use(
      http.all('*/session*', ({ request }) => {
        requests++
        return request.url.endsWith('refresh')
          ? undefined
          : HttpResponse.json({ code, status: 409 }, { status: 409 })
      }),
    )
    await session.flush()
    await session.pull()
    expect(requests).toBeLessThan(20)
    expect(session.owner).toBe('ada')
  })
})

describe('session.fetch', () => {
  test('leaves requests without credentials, and other origins, alone', async () => {
    const session = await signedIn()
    const seen: (string | null)[] = []
    network.use(
      http.all('http://localhost/api/*', ({ request }) => {
        seen.push(request.headers.get('session-epoch'))
        return HttpResponse.json({})
      }),
      http.all('https://tracker.example/*', ({ request }) => {
        seen.push(request.headers.get('session-epoch'), request.credentials)
        return HttpResponse.json({})
      }),
    )
    const calls = server.calls.length
    await session.fetch('http://localhost/api/public', { credentials: 'omit' })
    await session.fetch('https://tracker.example/collect')
    expect(seen).toEqual([null, null, 'same-origin'])
    expect(server.calls).toHaveLength(calls)
  })

  test('ends at once when it is aborted, even while a refresh hangs', async () => {
    const session = await signedIn()
    server.clock.advance(16 * 60)
    network.use(http.post('*/session/refresh', () => quiet(1500).then(() => undefined)))
    const started = performance.now()
    const aborted = session.fetch('http://localhost/api/me', { signal: AbortSignal.timeout(50) })
    await expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(performance.now() - started).toBeLessThan(1000)
    // The refresh still holds its lock; the next test should not wait for it.
    await quiet(1600)
  })
})

describe('one strange answer', () => {
  const answerOnce = (code: string, status: number): void =>
    network.use(
      http.post('*/session/sync', () => HttpResponse.json({ code, status }, { status }), { once: true }),
    )

  test('“another batch has this number”: the same changes go out under a new client id, once', async () => {
    const session = await signedIn()
    const { client } = session.inspect().local.outbox
    answerOnce('batch-fork', 409)
    expect(await session.increment('visits').acknowledged).toMatchObject({ code: 'ok' })
    expect(session.inspect().local.outbox.client).not.toBe(client)
    expect(await onServer((s) => s.get('visits'))).toBe(1)
  })

  test('“too large”: the writers are told, and the next write goes through', async () => {
    const session = await signedIn()
    const refused: unknown[] = []
    session.on('refused', ({ mutation }) => refused.push(mutation.key))
    answerOnce('too-large', 413)
    expect(await session.set('note', 'refused').acknowledged).toEqual({ code: 'too-large' })
    expect(refused).toEqual(['note'])
    expect(session.get('note')).toBe('')
    expect(await session.set('note', 'taken').acknowledged).toMatchObject({ code: 'ok' })
  })

  test.each([
    ['ended', 401],
    ['expired', 401],
    ['lost', 409],
  ])(
    '“%s”, late and about an older cookie: a pull asks again, and nobody is signed out',
    async (code, status) => {
      const session = await signedIn()
      answerOnce(code, status)
      expect(await session.set('note', 'still mine').acknowledged).toMatchObject({ code: 'ok' })
      expect([session.owner, session.status]).toEqual(['ada', { state: 'live' }])
    },
  )
})

test('a refresh that fails ahead of time is not tried again by every request', async () => {
  const session = await signedIn()
  network.use(server.route('get', 'http://localhost/api/me', () => Response.json({})))
  let refreshes = 0
  network.use(
    http.post('*/session/refresh', () => {
      refreshes++
      return HttpResponse.error()
    }),
  )
  server.clock.advance(870)
  for (let count = 0; count < 5; count++)
    expect((await session.fetch('http://localhost/api/me')).status).toBe(200)
  expect(refreshes).toBe(1)
})

test('what was parked is given up after a week', async () => {
  const session = await signedIn()
  goOffline()
  await session.set('note', 'parked').stored
  goOffline(false)
  await server.change((s) => s.signIn('grace'))
  await session.flush()
  expect(session.inspect().local.parcels).toHaveLength(1)
  server.clock.advance(8 * 86_400)
  await server.change((s) => s.signIn('grace'))
  await session.pull()
  expect(session.inspect().local.parcels).toEqual([])
})
