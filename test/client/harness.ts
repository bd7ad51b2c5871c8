// One pretend browser against the real server core: msw in Node, IndexedDB by fake-indexeddb, a clock that
// stands. Tests name the fixtures that they need; each begins with an empty browser and an empty server.
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { type SetupServer, setupServer } from 'msw/node'
import { test as vitestTest } from 'vitest'
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

const url = 'http://localhost/session'
export const quiet = (milliseconds = 60): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

type Options = Partial<SessionOptions<Schema>>
type Open = (options?: Options) => Promise<Session<Schema>>
type ServerSession = Parameters<Parameters<TestServer<Schema>['change']>[0]>[0]

/** The browser of one test: its tabs, and their network. */
class PretendBrowser {
  readonly #server: TestServer<Schema>
  /** Each ends a session of this test: what it still wants to send fails from then on. */
  readonly #endings: (() => void)[] = []
  #isOffline = false
  #requestsWithoutAnswer = 0

  constructor(server: TestServer<Schema>) {
    this.#server = server
  }

  readonly goOffline = (value = true): void => {
    this.#isOffline = value
  }

  readonly create = (options: Options = {}): Session<Schema> => {
    const life = { isOver: false }
    const session = createSession({
      schema,
      url,
      now: this.#server.clock.now,
      fetch: async (request) => {
        if (this.#isOffline || life.isOver) throw new TypeError('offline')
        this.#requestsWithoutAnswer++
        try {
          return await fetch(request)
        } finally {
          this.#requestsWithoutAnswer--
        }
      },
      ...options,
    })
    this.#endings.push(() => {
      life.isOver = true
      session.close()
    })
    return session
  }

  async close(): Promise<void> {
    for (const end of this.#endings) end()
    // What was still on its way must not meet the next test's server.
    await until('all requests are answered', () => this.#requestsWithoutAnswer === 0)
    await quiet()
  }
}

export const test = vitestTest
  .extend('network', { scope: 'file', auto: true }, ({}, { onCleanup }): SetupServer => {
    const network = setupServer()
    network.listen()
    onCleanup(() => network.close())
    return network
  })
  .extend('server', { auto: true }, ({ network }, { onCleanup }): TestServer<Schema> => {
    globalThis.indexedDB = new IDBFactory()
    const server = createTestServer({ schema })
    network.use(...server.handlers)
    onCleanup(() => network.resetHandlers())
    return server
  })
  .extend('browser', { auto: true }, ({ server }, { onCleanup }): PretendBrowser => {
    const browser = new PretendBrowser(server)
    onCleanup(() => browser.close())
    return browser
  })
  /** Cuts the network of all tabs, or with `false` brings it back. */
  .extend('goOffline', ({ browser }) => browser.goOffline)
  /** Opens a tab, which has read nothing yet. */
  .extend('create', ({ browser }) => browser.create)
  /** Opens a tab that has read its storage. */
  .extend('open', ({ create }): Open => async (options) => {
    const session = create(options)
    await session.ready
    return session
  })
  /** Opens a tab that has asked the server. */
  .extend('openLive', ({ open }): Open => async (options) => {
    const session = await open(options)
    await session.pull()
    return session
  })
  /** Opens a tab in which Ada is signed in. */
  .extend('signedIn', ({ openLive, server }): Open => async (options) => {
    const session = await openLive(options)
    await server.change((s) => {
      s.signIn('ada')
      s.set('user', 'Ada')
    })
    await session.pull()
    return session
  })
  /** Reads the session on the server. */
  .extend('onServer', ({ server }) => async <T>(read: (session: ServerSession) => T): Promise<T> => {
    const results: T[] = []
    await server.change((session) => void results.push(read(session)))
    return results[0] as T // `change` has called it.
  })
