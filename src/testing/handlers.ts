// A session server for tests: msw handlers that run the real server core over the memory store, with a clock
// that the test holds and a store that fails on command. Works with `msw/node` and in the browser.
import { HttpResponse, type HttpHandler, http } from 'msw'
import { SessionError } from '../protocol/errors.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { memoryStore } from '../stores/memory.ts'
import { toStream } from '../server/http/fetch.ts'
import { createCoreSessions } from '../server/app/create-core-sessions.ts'
import type { Sessions } from '../server/app/sessions.ts'
import type { CoreOptions } from '../server/app/options.ts'
import type { CoreRequest } from '../server/http/request.ts'
import { type CoreAnswer, problemAnswer } from '../server/http/core-answer.ts'
import type { ServerSession } from '../server/app/session.ts'
import { type TestClock, createTestClock } from './clock.ts'
import { portableCrypto } from './crypto.ts'
import { type FaultyStore, faultyStore } from './faults.ts'
import { createJar } from './jar.ts'

/**
 * The options of `createTestServer`: those of `createSessions`, but for the store, the cryptography and the
 * clock, which are the test server's own. Only `schema` is needed.
 */
export type TestServerOptions<S extends SessionSchema> = { readonly schema: S } & Partial<
  Omit<CoreOptions<S>, 'schema' | 'store' | 'crypto' | 'clock'>
>

/** A route of the app in a test. Changes of the session are saved before the answer is given. */
export type TestRoute<S extends SessionSchema> = (
  request: Request,
  session: ServerSession<S>,
) => Response | Promise<Response>

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
  const { base = '/session' } = options
  const clock = createTestClock()
  const store = faultyStore(memoryStore({ clock: clock.now }))
  const jar = createJar()
  const calls: string[] = []
  const sessions = createCoreSessions<S>({
    secrets: ['a secret of the test server, known to everybody'],
    // A script sees neither Sec-Fetch-Site nor Origin, so the guard has nothing to go by in here.
    allowNonBrowser: true,
    cookie: { secure: false },
    ...options,
    store,
    crypto: portableCrypto,
    clock: clock.now,
  })

  async function answer(request: Request): Promise<Response> {
    const core = toCore(request, jar.header())
    const result = await sessions.handle(core)
    if (result === undefined) return HttpResponse.json(null, { status: 404 })
    calls.push(`${request.method} ${core.url.split('?')[0]} ${result.status}`)
    return toResponse(result)
  }

  async function run(request: Request, handler: TestRoute<S>): Promise<Response> {
    try {
      const session = await sessions.load(toCore(request, jar.header()))
      const response = await handler(request, session)
      await session.save()
      const fields = new Headers(response.headers)
      for (const [name, value] of keepCookies(sessions.progress(session).headers())) fields.set(name, value)
      return new HttpResponse(response.body, { status: response.status, headers: fields })
    } catch (error) {
      if (error instanceof SessionError) return toResponse(problemAnswer(error))
      throw error
    }
  }

  function toResponse({ status, headers, body }: CoreAnswer): Response {
    const fields = keepCookies(headers).map(([name, value]): [string, string] => [name, value])
    const content = typeof body === 'string' ? body : toStream(body)
    const isEmpty = status === 304 || status === 204
    return new HttpResponse(isEmpty ? null : content, { status, headers: fields })
  }

  /** The jar takes the cookies; a browser's `Response` would drop them, and Node's fetch has no jar. */
  function keepCookies(headers: CoreAnswer['headers']): CoreAnswer['headers'] {
    for (const [name, value] of headers) if (name.toLowerCase() === 'set-cookie') jar.take(value)
    return headers.filter(([name]) => name.toLowerCase() !== 'set-cookie')
  }

  return {
    handlers: [
      http.all(`*${base}`, ({ request }) => answer(request)),
      http.all(`*${base}/*`, ({ request }) => answer(request)),
    ],
    route: (method, path, handler) => http[method](path, ({ request }) => run(request, handler)),
    async change(change) {
      const response = await run(
        new Request('http://localhost/', { method: 'POST' }),
        (_request, session) => {
          change(session)
          return new Response(null, { status: 204 })
        },
      )
      if (!response.ok)
        throw new Error(`The change was answered ${response.status}: ${await response.text()}`)
    },
    sessions,
    store,
    clock,
    calls,
    clearCookies: () => jar.clear(),
  }
}

function toCore(request: Request, cookie: string | undefined): CoreRequest {
  const { pathname, search, host, protocol } = new URL(request.url)
  return {
    method: request.method,
    url: pathname + search,
    secure: protocol === 'https:',
    host,
    header: (name) =>
      name === 'cookie' ? (request.headers.get(name) ?? cookie) : (request.headers.get(name) ?? undefined),
    body: () => request.text(),
  }
}
