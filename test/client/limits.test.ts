// The edges of what a browser keeps and sends.
import { expect } from 'vitest'
import { createSession } from 'session-mirror'
import { defineSession, writable } from 'session-mirror/schema'
import { test } from './harness.ts'

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
  expect(() => session.set('key0' as never, 'x'.repeat(270_000) as never)).toThrow(
    /bytes at most, this value/,
  )
  expect(() => session.set('key0' as never, '"'.repeat(100_000) as never)).toThrow(
    /bytes at most as it is sent/,
  )
  session.close()
})

test('a value as large as a record may hold goes out by the same rule, by itself, between others', async ({
  signedIn,
  onServer,
}) => {
  const session = await signedIn()
  const large = 'x'.repeat(200_000)
  const writes = [session.increment('visits'), session.set('note', large), session.set('strict', 'behind it')]
  for (const { acknowledged } of writes) expect(await acknowledged).toMatchObject({ code: 'ok' })
  expect(await onServer((own) => [own.get('note'), own.get('visits'), own.get('strict')])).toEqual([
    large,
    1,
    'behind it',
  ])
  // With what the writer saw it is too large for one request: it is told here, and nothing is lost.
  expect(() => session.update('note', (text) => `${text}!`)).toThrow(
    expect.objectContaining({ code: 'too-large' }),
  )
  expect(session.get('note')).toBe(large)
})

test('an update that took the place of many others names the last five hundred', async ({
  signedIn,
  goOffline,
}) => {
  const session = await signedIn()
  goOffline()
  for (let count = 0; count < 600; count++) session.update('list', () => [`${count}`])
  const { open } = session.inspect().local
  expect(open.map(({ saw }) => saw.length)).toEqual([500])
})

test('changes that were parked for an owner who did not come back are gone after a week', async ({
  server,
  goOffline,
  signedIn,
}) => {
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

test('a batch outlives its page where the browser allows that: below 60 KB, in a session that has begun', async ({
  signedIn,
}) => {
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

test('changes that were parked before anybody tried to send them are gone after a week, too', async ({
  server,
  goOffline,
  signedIn,
}) => {
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
