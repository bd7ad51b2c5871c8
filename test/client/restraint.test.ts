// How often the server is asked: not by each write while it wants rest, not after the session is closed; and what the app's own
// code may do meanwhile.
import { HttpResponse, http } from 'msw'
import { describe, expect, vi } from 'vitest'
import { sharedNamesOf } from '../../src/protocol/names.ts'
import { until } from '../support/waiting.ts'
import { quiet, test as base } from './harness.ts'

const names = sharedNamesOf('http://localhost/session')
const test = base
  /** The server answers every request to the session routes like this from now on; says how many came. */
  .extend(
    'answerAll',
    ({ network }) =>
      (code: string, status: number, headers: Record<string, string> = {}): { readonly count: number } => {
        const asked = { count: 0 }
        network.use(
          http.all('*/session*', () => {
            asked.count++
            return HttpResponse.json({ code, status }, { status, headers })
          }),
        )
        return asked
      },
  )

describe('a server that asks to be left alone', () => {
  test.for([
    ['seconds', (): string => '30'],
    ['a date', (): string => new Date(Date.now() + 30_000).toUTCString()],
  ] as const)(
    '%s: holds against everything but what the person asks for',
    async ([, when], { signedIn, answerAll }) => {
      const session = await signedIn()
      const asked = answerAll('store-unavailable', 429, { 'retry-after': when() })
      for (let count = 0; count < 40; count++) {
        session.set('note', `${count}`)
        await quiet(25)
      }
      await session.pull()
      expect(asked.count).toBe(1)
      expect(session.status).toEqual({ state: 'stale', reason: 'unavailable' })
      await session.flush()
      expect(asked.count).toBe(2)
      expect((await session.signOut({ pending: 'discard' })).server).toBe('queued')
      expect(asked.count).toBe(3)
    },
  )

  test('a refresh that it has answered so is not tried by each request that meets a stale cookie', async ({
    server,
    network,
    signedIn,
  }) => {
    const session = await signedIn()
    let refreshes = 0
    network.use(
      http.post('*/session/refresh', () => {
        refreshes++
        return HttpResponse.json(
          { code: 'contention', status: 429 },
          { status: 429, headers: { 'retry-after': '30' } },
        )
      }),
      http.get('http://localhost/api/me', () =>
        HttpResponse.json(
          { code: 'stale', status: 401 },
          { status: 401, headers: { 'content-type': 'application/problem+json' } },
        ),
      ),
    )
    for (let count = 0; count < 10; count++)
      expect((await session.fetch('http://localhost/api/me')).status).toBe(401)
    expect(refreshes).toBe(1)
    // The button of a warning.
    expect(await session.extend()).toBe(false)
    expect(refreshes).toBe(2)
    server.clock.advance(31)
    await session.fetch('http://localhost/api/me')
    expect(refreshes).toBe(3)
  })
})

test('without such a wish many writes while the server fails are one try at a time, and all arrive', async ({
  network,
  server,
  signedIn,
  answerAll,
  onServer,
}) => {
  const session = await signedIn()
  const asked = answerAll('store-unavailable', 503)
  for (let count = 0; count < 20; count++) {
    session.increment('visits')
    await quiet(25)
  }
  expect(asked.count).toBeLessThan(5)
  network.resetHandlers()
  network.use(...server.handlers)
  await until('all is sent', () => session.pending === 0)
  expect(await onServer((own) => own.get('visits'))).toBe(20)
})

test('a server that calls a batch malformed costs no write: it goes out when that is mended', async ({
  network,
  server,
  signedIn,
  onServer,
  answerAll,
}) => {
  const session = await signedIn()
  const refused = vi.fn()
  session.on('refused', refused)
  answerAll('malformed', 400)
  const write = session.set('note', 'kept')
  await until('the server has been asked', () => session.status.state === 'stale')
  expect(session.status).toEqual({ state: 'stale', reason: 'refused' })
  expect([session.pending, refused.mock.calls.length]).toEqual([1, 0])
  network.resetHandlers()
  network.use(...server.handlers)
  await session.flush()
  expect(await write.acknowledged).toMatchObject({ code: 'ok' })
  expect(await onServer((own) => own.get('note'))).toBe('kept')
})

test('a page whose keepalive is used up sends without', async ({ openLive, server, onServer }) => {
  const kept: boolean[] = []
  const session = await openLive({
    // Undici does not know what `keepalive` is for; a browser refuses like this (Fetch, section 4.5).
    fetch: async (request) => {
      kept.push(request.keepalive)
      if (request.keepalive) throw new TypeError('Failed to fetch')
      return fetch(request)
    },
  })
  await server.change((own) => own.signIn('ada'))
  await session.pull()
  expect(await session.set('note', 'arrives').acknowledged).toMatchObject({ code: 'ok' })
  expect(await onServer((own) => own.get('note'))).toBe('arrives')
  expect(session.status.state).toBe('live')
  expect(kept).toContain(true)
})

test('session.fetch leaves no listener at the app’s signal', async ({ network, signedIn }) => {
  const session = await signedIn()
  network.use(http.get('http://localhost/api/me', () => HttpResponse.json({})))
  const add = vi.spyOn(AbortSignal.prototype, 'addEventListener')
  const remove = vi.spyOn(AbortSignal.prototype, 'removeEventListener')
  const { signal } = new AbortController()
  for (let count = 0; count < 10; count++) await session.fetch('http://localhost/api/me', { signal })
  // Those that end by a signal of their own count as taken away.
  const left = add.mock.calls.filter(([, listener, options]) => {
    const isTaken = remove.mock.calls.some((call) => call[1] === listener)
    const own = typeof options === 'object' ? options.signal : undefined
    return !isTaken && own?.aborted !== true
  })
  expect(left.filter(([type, listener]) => type === 'abort' && String(listener).includes('reject'))).toEqual(
    [],
  )
  vi.restoreAllMocks()
})

test('what the app does when it hears of a change is done while no other tab has to wait', async ({
  signedIn,
  server,
}) => {
  const session = await signedIn()
  const free: Promise<boolean>[] = []
  let isLooking = false
  const look = (): void => {
    // Another listener of the same moment would only meet this one's own lock.
    if (isLooking) return
    isLooking = true
    for (const name of [names.syncLock, names.refreshLock])
      free.push(navigator.locks.request(name, { ifAvailable: true }, async (lock) => lock !== null))
    void Promise.all(free).then(() => (isLooking = false))
  }
  session.subscribe('user', look)
  session.on('status', look)
  session.on('owner', look)
  session.on('expiresAt', look)
  session.on('pending', look)
  await server.change((own) => own.set('user', 'Ada Lovelace'))
  await session.pull()
  expect(session.get('user')).toBe('Ada Lovelace')
  server.clock.advance(890)
  await session.extend()
  await server.change((own) => own.delete())
  await session.pull()
  expect(session.owner).toBe(null)
  expect(free.length).toBeGreaterThan(3)
  expect(new Set(await Promise.all(free))).toEqual(new Set([true]))
})

test('after `close` nothing is asked, tried or heard any more', async ({
  network,
  server,
  signedIn,
  answerAll,
}) => {
  const session = await signedIn()
  const heard = vi.fn()
  const asked = answerAll('store-unavailable', 503)
  await session.pull()
  expect(asked.count).toBe(1)
  session.on('status', heard)
  session.subscribe(heard)
  session.close()
  // Its next try would have come after half a second.
  await quiet(1200)
  await session.pull()
  await session.flush()
  expect(await session.extend()).toBe(false)
  expect(asked.count).toBe(1)
  network.resetHandlers()
  network.use(...server.handlers)
  expect(heard).not.toHaveBeenCalled()
})
