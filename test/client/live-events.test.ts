// The event stream, against the real server core: what another browser of the same session changes is here by itself.
import { expect } from 'vitest'
import { quiet, test as base } from './harness.ts'
import { http } from 'msw'

/** How many event streams were opened. */
const test = base.extend(
  'streams',
  ({ server }) =>
    (): number =>
      server.calls.filter((call) => call.startsWith('GET /session/events')).length,
)
const live = { live: true }

test('a change by somebody else is here without being asked for', async ({ server, signedIn, streams }) => {
  const session = await signedIn(live)
  await expect.poll(() => streams()).toBe(1)
  await server.change((s) => s.set('orders', 7))
  await expect.poll(() => session.get('orders')).toBe(7)
})

test('a page that does not want live events opens no stream', async ({ signedIn, streams }) => {
  await signedIn({ live: false })
  await quiet(200)
  expect(streams()).toBe(0)
})

test('a session that somebody else ended is over here at once', async ({ server, signedIn, streams }) => {
  const session = await signedIn(live)
  await expect.poll(() => streams()).toBe(1)
  await server.sessions.revokeAll('ada')
  await expect.poll(() => session.status).toEqual({ state: 'signed-out', reason: 'ended' })
})

test('a sign-in gets a stream of its own, a sign-out ends it', async ({ server, open, streams }) => {
  const session = await open(live)
  await session.pull()
  expect(streams()).toBe(0)
  await server.change((s) => s.signIn('ada'))
  await session.pull()
  await expect.poll(() => streams()).toBe(1)
  await session.signOut()
  await server.change((s) => s.signIn('grace'))
  await session.pull()
  await expect.poll(() => streams()).toBe(2)
  await server.change((s) => s.set('orders', 3))
  await expect.poll(() => session.get('orders')).toBe(3)
})

test('a server that has no streams is asked once', async ({ network, server, signedIn }) => {
  let asked = 0
  network.use(
    http.get('http://localhost/session/events', () => (asked++, new Response(null, { status: 404 }))),
  )
  const session = await signedIn(live)
  await expect.poll(() => asked).toBe(1)
  await quiet(2500)
  expect(asked).toBe(1)
  await server.change((s) => s.set('orders', 7))
  await session.pull()
  expect(session.get('orders')).toBe(7)
})

test('a server that refuses for now is asked again, not at once', async ({ network, signedIn }) => {
  const times: number[] = []
  network.use(
    http.get('http://localhost/session/events', () => {
      times.push(performance.now())
      return new Response(null, { status: 503 })
    }),
  )
  await signedIn(live)
  await expect.poll(() => times.length).toBe(2)
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900)
})

test('a cookie that is stale by then is refreshed, and the stream opened again', async ({
  network,
  server,
  signedIn,
}) => {
  network.use(
    http.get(
      'http://localhost/session/events',
      () => {
        server.clock.advance(16 * 60)
        return new Response(breakingOff(), { headers: { 'content-type': 'text/event-stream' } })
      },
      { once: true },
    ),
  )
  const session = await signedIn(live)
  const wanted = ['GET /session/events 401', 'POST /session/refresh 200', 'GET /session/events 200']
  await expect.poll(() => server.calls.filter((call) => wanted.includes(call))).toEqual(wanted)
  await server.change((s) => s.set('orders', 9))
  await expect.poll(() => session.get('orders')).toBe(9)
})

test('a stream that breaks off is opened again', async ({ network, server, signedIn, streams }) => {
  let broken = 0
  network.use(
    http.get(
      'http://localhost/session/events',
      () => {
        broken++
        return new Response(breakingOff(), { headers: { 'content-type': 'text/event-stream' } })
      },
      { once: true },
    ),
  )
  const session = await signedIn(live)
  await expect.poll(() => broken).toBe(1)
  await expect.poll(() => streams()).toBe(1)
  await server.change((s) => s.set('orders', 9))
  await expect.poll(() => session.get('orders')).toBe(9)
})

test('a stream ends when its session object is closed', async ({ goOffline, signedIn, streams }) => {
  const session = await signedIn(live)
  await expect.poll(() => streams()).toBe(1)
  session.close()
  goOffline()
  await quiet(100)
  expect(streams()).toBe(1)
})

function breakingOff(): ReadableStream {
  return new ReadableStream({ start: (control) => setTimeout(() => control.error(new Error('cut')), 50) })
}

test('a server that asks for rest is left alone, also where the stream begins anew', async ({
  network,
  server,
  signedIn,
}) => {
  let asked = 0
  network.use(
    http.get('http://localhost/session/events', () => {
      asked++
      return new Response(null, { status: 503, headers: { 'retry-after': '20' } })
    }),
  )
  const session = await signedIn(live)
  await expect.poll(() => asked).toBe(1)
  await server.change((s) => s.signIn('grace'))
  await session.pull()
  expect(session.owner).toBe('grace')
  await quiet(500)
  expect(asked).toBe(1)
})
