// One app's sessions under a clock that the test holds, and browsers with a cookie jar each.
import { expect } from 'vitest'
import { type CoreRequest, type SessionsOptions, createSessions } from '../../src/server.ts'
import { memoryStore } from '../../src/memory.ts'
import { defineSession, hidden, readable, writable } from '../../src/schema.ts'
import type { Sessions } from '../../src/server.ts'
import type { ServerSession } from '../../src/server.ts'
import type { MirrorMessage } from '../../src/protocol/messages.ts'
import type { Mutation } from '../../src/protocol/mutation.ts'
import type { Store } from '../../src/stores/store.ts'
import { wrapStore } from '../../src/stores/wrapped-store.ts'

export const schema = defineSession({
  user: readable<{ name: string }>(),
  theme: writable<string>({ default: 'light' }),
  cart: writable<readonly string[]>({ default: [] }),
  draft: writable<string>({ default: '', policy: 'if-unchanged' }),
  tags: writable<readonly string[]>({
    default: [],
    policy: { merge: (_base, mine, theirs) => [...new Set([...(theirs ?? []), ...mine])] },
  }),
  visits: writable.counter(),
  secret: hidden<string>(),
})
export type Schema = typeof schema
export const secrets = ['a secret of the tests that is long enough']

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string
  readonly message: MirrorMessage
  readonly code: string
}

export interface World {
  readonly sessions: Sessions<Schema>
  readonly store: Store
  now(): number
  sleep(seconds: number): void
  browser(): Browser
}

export interface WorldOptions extends Partial<Omit<SessionsOptions<Schema>, 'store'>> {
  readonly store?: Store
}

export function createWorld(options: WorldOptions = {}): World {
  const time = { ms: 1_800_000_000_000 }
  const clock = options.clock ?? (() => time.ms)
  const store = options.store ?? memoryStore({ clock })
  const sessions = createSessions({ schema, secrets, store, clock, ...options })
  return {
    sessions,
    store,
    now: () => clock() / 1000,
    sleep(seconds) {
      time.ms += seconds * 1000
    },
    browser: () => createBrowser(sessions),
  }
}

export interface Send {
  readonly method?: string
  readonly body?: string | undefined
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly host?: string
  readonly secure?: boolean
}

export interface Browser {
  cookie: string
  request(url: string, send?: Send): CoreRequest
  send(url: string, send?: Send): Promise<Reply>
  get(query?: string, headers?: Send['headers']): Promise<Reply>
  post(route: string, body: unknown): Promise<Reply>
  /** Seals mutations as one batch of `client` and sends it. */
  sync(mutations: readonly Partial<Mutation>[], options?: SyncOptions): Promise<Reply>
  signOut(headers?: Send['headers']): Promise<Reply>
  /** A request of the app: loads, runs, saves, and takes the cookie. */
  app<T>(run: (session: ServerSession<Schema>) => T, headers?: Send['headers']): Promise<T>
  copy(): Browser
}

interface SyncOptions {
  readonly epoch?: string | null
  readonly owner?: string | null
  readonly since?: number
  readonly client?: string
  readonly number?: number
}

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1' }

export function createBrowser(sessions: Sessions<Schema>, initial = ''): Browser {
  let numbers = 0
  const browser: Browser = {
    cookie: initial,
    request(url, { method = 'GET', body, headers = {}, host = 'localhost', secure = false } = {}) {
      return {
        method,
        url,
        secure,
        host,
        header: (name) =>
          name === 'cookie' && !('cookie' in headers) ? browser.cookie || undefined : headers[name],
        body: async () => body ?? '',
      }
    },
    async send(url, send) {
      const answer = await sessions.handle(browser.request(url, send))
      if (answer === undefined) throw new Error(`${url} is no session route`)
      const cookies = answer.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)
      for (const cookie of cookies) browser.cookie = toPair(cookie)
      const body = typeof answer.body === 'string' ? answer.body : ''
      const parsed = body === '' ? {} : JSON.parse(body)
      return {
        status: answer.status,
        headers: Object.fromEntries(answer.headers),
        cookies,
        body,
        message: parsed,
        code: parsed.code ?? '',
      }
    },
    get: (query = '', headers = {}) => browser.send(`/session${query}`, { headers }),
    post: (route, body) =>
      browser.send(`/session/${route}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { ...own, 'content-type': 'application/json' },
      }),
    sync(
      mutations,
      { epoch = null, owner = null, since = 0, client = 'client-of-test', number = ++numbers } = {},
    ) {
      const full = mutations.map((mutation, index) => ({ id: `mutation-${number}-${index}`, ...mutation }))
      const batch = JSON.stringify({ client, number, mutations: full })
      return browser.post('sync', { epoch, owner, since, batch })
    },
    signOut: (headers = {}) =>
      browser.send('/session', { method: 'DELETE', headers: { ...own, ...headers } }),
    async app(run, headers = {}) {
      const session = await sessions.load(browser.request('/app', { headers }))
      const result = await run(session)
      await session.save()
      for (const cookie of sessions.answer(session, new Response()).headers.getSetCookie()) {
        browser.cookie = toPair(cookie)
      }
      return result
    },
    copy: () => createBrowser(sessions, browser.cookie),
  }
  return browser
}

function toPair(line: string): string {
  const [pair = ''] = line.split(';')
  return line.includes('Max-Age=0') ? '' : pair
}

/** The `onError` of a test whose store fails on purpose: without one the log would tell of it. */
export const ignoreError = (): void => undefined

/** A store that counts its calls, if only those for keys of one kind, and can be told to fail. */
export function watchStore(inner: Store, prefix = ''): Store & { calls: string[]; broken: boolean } {
  const calls: string[] = []
  const wrapped = wrapStore(inner, async ({ operation, key }, run) => {
    if (key.startsWith(prefix)) calls.push(operation)
    return watched.broken ? { kind: 'unavailable', cause: new Error('broken') } : run()
  })
  const watched = { ...wrapped, calls, broken: false }
  return watched
}

export const code = (expected: string): unknown => expect.objectContaining({ code: expected })
