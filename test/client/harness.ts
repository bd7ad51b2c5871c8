// One pretend browser against the real server core: msw in Node, IndexedDB by fake-indexeddb, a clock that
// stands. Tests import what they need; each begins with an empty browser and an empty server.
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type Session, type SessionOptions, createSession } from 'session-mirror'
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'
import { type TestServer, createTestServer } from 'session-mirror/testing'
import * as v from 'valibot'

/** Theirs, and what I added. */
function union(
  base: readonly string[] = [],
  mine: readonly string[],
  theirs: readonly string[] = [],
): readonly string[] {
  return [...theirs, ...mine.filter((tag) => !base.includes(tag) && !theirs.includes(tag))]
}

export const schema = defineSession({
  user: readable<string>(),
  orders: readable<number>({ default: 0 }),
  theme: writable(v.picklist(['light', 'dark']), { default: 'light' }),
  note: writable<string>({ default: '' }),
  list: writable<readonly string[]>({ default: [] }),
  strict: writable<string>({ policy: 'if-unchanged' }),
  tags: writable<readonly string[]>({ default: [], policy: { merge: union } }),
  nullable: writable<string | null>({ default: 'preset' }),
  visits: writable.counter(),
  secret: hidden<string>(),
})
export type Schema = typeof schema

export let server: TestServer<Schema>
export const network = setupServer()
let opened: Session<Schema>[] = []
let isOffline = false

export function goOffline(value = true): void {
  isOffline = value
}

beforeAll(() => network.listen())
afterAll(() => network.close())
beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
  isOffline = false
  server = createTestServer({ schema })
  network.use(...server.handlers)
})
afterEach(async () => {
  for (const session of opened) session.close()
  opened = []
  // What was still on its way must not meet the next test's server.
  await quiet()
  network.resetHandlers()
})

const url = 'http://localhost/session'
export function create(options: Partial<SessionOptions<Schema>> = {}): Session<Schema> {
  const session = createSession({
    schema,
    url,
    now: server.clock.now,
    fetch: (request) => (isOffline ? Promise.reject(new TypeError('offline')) : fetch(request)),
    ...options,
  })
  opened.push(session)
  return session
}
export async function open(options: Partial<SessionOptions<Schema>> = {}): Promise<Session<Schema>> {
  const session = create(options)
  await session.ready
  return session
}
export const quiet = (milliseconds = 60): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
export async function openLive(options: Partial<SessionOptions<Schema>> = {}): Promise<Session<Schema>> {
  const session = await open(options)
  await session.pull()
  return session
}
export async function onServer<T>(
  read: (session: Parameters<Parameters<TestServer<Schema>['change']>[0]>[0]) => T,
): Promise<T> {
  let result: T | undefined
  await server.change((session) => {
    result = read(session)
  })
  return result as T // `change` has called it.
}

export async function signedIn(options: Partial<SessionOptions<Schema>> = {}): Promise<Session<Schema>> {
  const session = await openLive(options)
  await server.change((s) => {
    s.signIn('ada')
    s.set('user', 'Ada')
  })
  await session.pull()
  return session
}
