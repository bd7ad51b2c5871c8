// A session server for tests: msw handlers that run the real server core over the memory store, with a clock
// that the test holds and a store that fails on command. Works with `msw/node` and in the browser.
import { type HttpHandler, http } from 'msw'
import { type KnownOptions, checkOptions } from '../protocol/check-options.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { memoryStore } from '../stores/memory.ts'
import { createCoreSessions } from '../server/app/create-core-sessions.ts'
import { coreOptions } from '../server/app/known-options.ts'
import type { CoreOptions } from '../server/app/core-options.ts'
import type { ServerSession } from '../server/app/server-session.ts'
import type { Sessions } from '../server/app/sessions.ts'
import { type TestClock, createTestClock } from './clock.ts'
import { portableCrypto } from './crypto.ts'
import { type FaultyStore, faultyStore } from './faulty-store.ts'
import { PretendBrowser, type TestRoute } from './pretend-browser.ts'

/**
 * The options of `createTestServer`: those of `createSessions`, but for the store, the cryptography and the
 * clock, which are the test server's own. Only `schema` is needed.
 */
export type TestServerOptions<S extends SessionSchema> = { readonly schema: S } & Partial<
  Omit<CoreOptions<S>, 'schema' | 'store' | 'crypto' | 'clock'>
>

const ownHint = 'the test server has its own'
const { store: _store, crypto: _crypto, clock: _clock, ...checks } = coreOptions.checks
const testServerOptions: KnownOptions = {
  checks,
  needed: ['schema'],
  hints: { ...coreOptions.hints, store: ownHint, crypto: ownHint, clock: ownHint },
}

/** A session server for one pretend browser. */
export interface TestServer<S extends SessionSchema> {
  /** The session's routes, on whatever origin: give them to `setupServer` or `setupWorker`. */
  readonly handlers: readonly HttpHandler[]
  /** A route of the app with its session, for example its sign-in. */
  route(method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string, handler: TestRoute<S>): HttpHandler
  /** Changes this browser's session on the server, as any request of the app could. */
  change(change: (session: ServerSession<S>) => void): Promise<void>
  /** The sessions of this server, as `createSessions` gives them. */
  readonly sessions: Sessions<S>
  /** The memory store behind it. Set `isDown` to see how the app behaves without its store. */
  readonly store: FaultyStore
  /** The clock of the server. Give `clock.now` to `createSession({ now })` as well. */
  readonly clock: TestClock
  /** The session routes that were called, oldest first: `POST /session/sync 200`. */
  readonly calls: readonly string[]
  /** Forgets the pretend browser's cookie, as if the user had cleared it. */
  clearCookies(): void
}

/**
 * A session server for one pretend browser.
 * @throws SessionError `invalid-option`
 * @example
 * const server = createTestServer({ schema })
 * const network = setupServer(...server.handlers)
 * await server.change((session) => session.signIn('ada'))
 */
export function createTestServer<const S extends SessionSchema>(
  options: TestServerOptions<S>,
): TestServer<S> {
  checkOptions('createTestServer', options, testServerOptions)
  const { base = '/session' } = options
  const clock = createTestClock()
  const store = faultyStore(memoryStore({ clock: clock.now }))
  const sessions = createCoreSessions<S>({
    secrets: ['a secret of the test server, known to everybody'],
    // A script sees neither Sec-Fetch-Site nor Origin, so the guard has nothing to go by in here.
    allowNonBrowser: true,
    cookie: { secure: false },
    // A test that sets `isDown` knows.
    onError: () => undefined,
    ...options,
    store,
    crypto: portableCrypto,
    clock: clock.now,
  })

  const browser = new PretendBrowser(sessions)

  return {
    handlers: [
      http.all(`*${base}`, ({ request }) => browser.ask(request)),
      http.all(`*${base}/*`, ({ request }) => browser.ask(request)),
    ],
    route: (method, path, handler) => http[method](path, ({ request }) => browser.run(request, handler)),
    change: (change) => changeSession(browser, change),
    sessions,
    store,
    clock,
    calls: browser.calls,
    clearCookies: () => browser.clearCookies(),
  }
}

async function changeSession<S extends SessionSchema>(
  browser: PretendBrowser<S>,
  change: (session: ServerSession<S>) => void,
): Promise<void> {
  const request = new Request('http://localhost/', { method: 'POST' })
  const response = await browser.run(request, (_request, session) => {
    change(session)
    return new Response(null, { status: 204 })
  })
  if (!response.ok) throw new Error(`The change was answered ${response.status}: ${await response.text()}`)
}
