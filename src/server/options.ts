// The options of `createSessions`, checked once and at the start, so that a wrong one never meets a user.
import { type Clock, systemClock } from '../protocol/clock.ts'
import { SessionError } from '../protocol/errors.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { Store } from '../stores/store.ts'
import { type CookieOptions, createCookieJar } from './cookie-jar.ts'
import { type Core, type Times, cookieSeconds } from './core.ts'
import type { ServerCrypto } from './crypto.ts'
import { createKeyRing } from './keys.ts'
import { createFindPlace } from './record.ts'

export interface CoreOptions<S extends SessionSchema = SessionSchema> {
  /** From `defineSession`; the browser has the same. */
  readonly schema: S
  /** The newest first: it signs, the others only verify. Each has 32 characters or more, all random. */
  readonly secrets: readonly string[]
  readonly store: Store
  readonly crypto: ServerCrypto
  /** Path of the session routes. @default '/session' */
  readonly base?: string
  readonly cookie?: CookieOptions
  /** A session that nobody uses for so long is over. @default 86_400 (a day) */
  readonly idleTimeoutSeconds?: number
  /** A session ends so long after it began or was signed in to, used or not. @default 2_592_000 (30 days) */
  readonly absoluteTimeoutSeconds?: number
  /** So long a cookie is good for before it must be refreshed. @default 900 */
  readonly freshSeconds?: number
  /** A session id older than this is replaced at the next refresh. @default 3600 */
  readonly rotateSeconds?: number
  /** So long the id before still works, once a browser has come with the new one. @default 60 */
  readonly rotateGraceSeconds?: number
  /** Other origins whose pages may change sessions: `https://app.example.com`. @default none */
  readonly allowedOrigins?: readonly string[]
  /** Whether requests without Sec-Fetch-Site and Origin may change sessions: curl, native apps. @default false */
  readonly allowNonBrowser?: boolean
  /** `refuse`: a request whose session the store lost is answered 409. `anonymous`: it gets a new one. @default 'refuse' */
  readonly onLost?: 'refuse' | 'anonymous'
  /** Milliseconds. @default the system's */
  readonly clock?: Clock
}

const defaults: Times = {
  idleTimeoutSeconds: 86_400,
  absoluteTimeoutSeconds: 2_592_000,
  freshSeconds: 900,
  rotateSeconds: 3600,
  rotateGraceSeconds: 60,
}

/** @throws SessionError `weak-secret`, `invalid-option` */
export function createCore(options: CoreOptions): Core {
  const { schema, store, crypto, base = '/session', allowedOrigins = [], onLost = 'refuse' } = options
  if (typeof schema?.keys !== 'object') throw invalid('schema must come from defineSession.')
  if (typeof store?.read !== 'function') throw invalid('store must be a Store, such as memoryStore().')
  if (!/^(\/[A-Za-z0-9._~-]+)+$/.test(base))
    throw invalid('base must be a path like /session, without a slash at its end.')
  if (onLost !== 'refuse' && onLost !== 'anonymous') throw invalid("onLost must be 'refuse' or 'anonymous'.")
  for (const origin of allowedOrigins) checkOrigin(origin)
  const times = timesOf(options)
  const ring = createKeyRing(options.secrets, crypto)
  return {
    schema,
    store,
    crypto,
    base,
    allowedOrigins,
    onLost,
    times,
    ring,
    findPlace: createFindPlace(ring),
    jar: createCookieJar(options.cookie ?? {}, cookieSeconds(times)),
    clock: options.clock ?? systemClock,
    allowNonBrowser: options.allowNonBrowser ?? false,
  }
}

function timesOf(options: Partial<Times>): Times {
  const names = Object.keys(defaults) as (keyof Times)[] // Its own keys.
  const times = Object.fromEntries(
    names.map((name) => [name, options[name] ?? defaults[name]]),
  ) as unknown as Times
  for (const name of names) {
    const value = times[name]
    if (!Number.isSafeInteger(value) || value < 1 || value > 1_000_000_000) {
      throw invalid(`${name} must be a whole number of seconds from 1, not ${String(value)}.`)
    }
  }
  const { freshSeconds, idleTimeoutSeconds, absoluteTimeoutSeconds } = times
  if (freshSeconds > idleTimeoutSeconds)
    throw invalid('freshSeconds must not be more than idleTimeoutSeconds.')
  if (idleTimeoutSeconds > absoluteTimeoutSeconds) {
    throw invalid('idleTimeoutSeconds must not be more than absoluteTimeoutSeconds.')
  }
  return times
}

function checkOrigin(origin: string): void {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return
  throw invalid(`allowedOrigins takes origins like https://app.example.com, not ${JSON.stringify(origin)}.`)
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
