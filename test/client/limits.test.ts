// The edges of what a browser keeps and sends.
import { expect, test } from 'vitest'
import { createSession } from 'session-mirror'
import { defineSession, writable } from 'session-mirror/schema'
import { goOffline, server, signedIn } from './harness.ts'

const eight = 8 * 86_400

test('more unsent changes than a browser keeps are refused where they are made, and what was kept stays', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `key${index}`)
  const keys = Object.fromEntries(names.map((name) => [name, writable<string>({ default: '' })]))
  const fetchNothing = (): Promise<Response> => Promise.reject(new TypeError('offline'))
  const session = createSession({
    schema: defineSession(keys),
    url: 'http://localhost/session',
    fetch: fetchNothing,
  })
  await session.ready
  const text = 'x'.repeat(120_000)
  const kept = names.filter((name) => {
    try {
      session.set(name as never, text as never) // Any of them; the schema is made here.
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'outbox-full' })
      return false
    }
  })
  expect(kept).toHaveLength(8)
  expect(session.get('key7' as never)).toBe(text)
  expect(session.get('key8' as never)).toBe('')
  expect(() => session.set('key0' as never, 'x'.repeat(140_000) as never)).toThrow(/bytes at most/)
  session.close()
})

test('changes that were parked for an owner who did not come back are gone after a week', async () => {
  const session = await signedIn()
  goOffline()
  await session.set('note', 'of ada').stored
  await session.flush()
  await server.change((s) => s.signIn('grace'))
  goOffline(false)
  await session.pull()
  expect(session.inspect().local.parcels).toHaveLength(1)
  server.clock.advance(eight)
  await server.change((s) => s.signIn('grace'))
  await session.pull()
  expect(session.owner).toBe('grace')
  expect(session.inspect().local.parcels).toEqual([])
})

test('a batch outlives its page where the browser allows that: below 60 KB, in a session that has begun', async () => {
  const seen: (readonly [url: string, keepalive: boolean])[] = []
  const session = await signedIn({
    fetch: (request) => {
      if (request.method === 'POST') seen.push([new URL(request.url).pathname, request.keepalive])
      return fetch(request)
    },
  })
  await session.set('note', 'small').acknowledged
  await session.set('note', 'x'.repeat(30_000)).acknowledged
  expect(seen).toEqual([
    ['/session/sync', true],
    ['/session/sync', false],
  ])
})

test('changes that were parked before anybody tried to send them are gone after a week, too', async () => {
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
