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
import { until } from '../support/waiting.ts'

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
/** Ends a session of this test: what it still wants to send fails from then on. */
let endings: (() => void)[] = []
let isOffline = false
/** Requests that have no answer yet. */
let onTheirWay = 0

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
  for (const end of endings) end()
  endings = []
  // What was still on its way must not meet the next test's server.
  await until('all requests are answered', () => onTheirWay === 0)
  await quiet()
  network.resetHandlers()
})

const url = 'http://localhost/session'
export function create(options: Partial<SessionOptions<Schema>> = {}): Session<Schema> {
  let isOver = false
  const session = createSession({
    schema,
    url,
    now: server.clock.now,
    async fetch(request) {
      if (isOffline || isOver) throw new TypeError('offline')
      onTheirWay++
      try {
        return await fetch(request)
      } finally {
        onTheirWay--
      }
    },
    ...options,
  })
  endings.push(() => {
    isOver = true
    session.close()
  })
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
