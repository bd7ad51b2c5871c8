// The options of `createSessions`, checked once and at the start, so that a wrong one never meets a user.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import * as limits from '../../protocol/limits.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import type { CarriedStore, Store } from '../../stores/store.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import { createKeyRing } from '../codec/key-ring.ts'
import { createFindPlace } from '../codec/record.ts'
import { type Assurance, timesOf } from '../core/assurance.ts'
import { carriedClients } from '../core/carry.ts'
import { type CookieOptions, createCookieJar } from '../core/cookie-jar.ts'
import { type Core, cookieSeconds } from '../core/core.ts'
import { type Feed, localFeed } from '../core/feed.ts'
import { invalidOption } from '../core/refusal.ts'
import { type WatchChannels, createWatch, watchedStore } from '../core/watch.ts'
import { checkCoreOptions } from './known-options.ts'

/** The options of `createSessions`. Wrong ones throw there: `invalid-option`, or `weak-secret`. */
export interface CoreOptions<S extends SessionSchema = SessionSchema> {
  /** From `defineSession`. The browser has the same. */
  readonly schema: S
  /**
   * The newest first: it signs, and the others only verify. Each has 32 characters or more, all random.
   * `npx session-mirror secret` prints a good one.
   */
  readonly secrets: readonly string[]
  /** Where sessions are kept, such as `memoryStore()`. */
  readonly store: Store | CarriedStore
  /** Keeps apps with the same secrets apart: what one signs, no other takes. Also stands in watched events. @default '' */
  readonly app?: string
  /** The cryptography of this runtime. */
  readonly crypto: ServerCrypto
  /** Path of the session routes. @default '/session' */
  readonly base?: string
  /** How the cookie is set. @default see `CookieOptions` */
  readonly cookie?: CookieOptions
  /**
   * Times of an authenticator assurance level of NIST SP 800-63B: `aal1` 30 days; `aal2` 12 hours, 30 minutes idle;
   * `aal3` 12 hours, 15 minutes idle. Explicit times may be shorter, not longer. @default none
   */
  readonly assurance?: Assurance
  /** Seconds after which a session that nobody uses has expired. @default 86_400 (a day) */
  readonly idleTimeoutSeconds?: number
  /** Seconds from its beginning, or its sign-in, after which a session ends, used or not. @default 2_592_000 (30 days) */
  readonly absoluteTimeoutSeconds?: number
  /**
   * Seconds a cookie is accepted before it must be refreshed. Once half of them are over, the next answer that read the
   * session renews the cookie. @default 900, or a third of a short idle time
   */
  readonly freshSeconds?: number
  /** Seconds after which the session id is replaced, with the next cookie that is set. @default 3600 */
  readonly rotateSeconds?: number
  /**
   * Seconds for which an old id still works, once a browser has kept the new one: after that its use is taken for that
   * of a stolen cookie, and ends the session. @default 60
   */
  readonly rotateGraceSeconds?: number
  /**
   * Other origins whose pages may read and change sessions: `https://app.example.com`. They get CORS answers with
   * credentials, on the app's own routes, too. @default none
   */
  readonly allowedOrigins?: readonly string[]
  /** Whether requests without Sec-Fetch-Site and Origin may change sessions: curl, native apps. @default false */
  readonly allowNonBrowser?: boolean
  /** `refuse`: a request whose session the store lost is answered 409. `anonymous`: it gets a new one. @default 'refuse' */
  readonly onLost?: 'refuse' | 'anonymous'
  /**
   * How many proxies of yours stand before this server and write X-Forwarded-Proto and X-Forwarded-Host. With 0
   * these headers are not believed. @default 0
   */
  readonly trustProxy?: number
  /**
   * Whether the guard stands before every change that a request of the app makes, GET and HEAD apart: without it a
   * form of another site could sign a browser in. A route that other servers call must not change a session then,
   * unless `allowNonBrowser`. @default true
   */
  readonly guardChanges?: boolean
  /** Whether the middleware and `route` save what a request changed. @default true */
  readonly autoSave?: boolean
  /** Wakes event streams. Give one that all processes share. @default within this process */
  readonly feed?: Feed
  /** Seconds between two signs of life on an event stream, which then looks at the store, too. @default 25 */
  readonly heartbeatSeconds?: number
  /** Where to publish what happens. @default none; with Node: `node:diagnostics_channel` */
  readonly channels?: WatchChannels
  /** The time in milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

/** What the parts of the server are given. Checks the options. @throws SessionError `weak-secret`, `invalid-option` */
export function createCore(options: CoreOptions): Core {
  checkCoreOptions(options)
  const { schema, store, crypto, base = '/session', allowedOrigins = [], onLost = 'refuse' } = options
  const { app = '', trustProxy = 0, heartbeatSeconds = 25 } = options
  const carriedStore = toCarried(store, crypto)
  checkNames({ base, onLost, app })
  for (const origin of allowedOrigins) checkOrigin(origin)
  checkWholeNumber('trustProxy', trustProxy, { from: 0, to: 16 })
  checkWholeNumber('heartbeatSeconds', heartbeatSeconds, { from: 1, to: 3600 })
  const times = timesOf(options)
  const ring = createKeyRing(options.secrets, crypto, app)
  const watch = createWatch(options.channels, app)
  const clock = options.clock ?? systemClock
  const opened = isCarried(store) ? store.open(() => undefined) : store
  const lists = isCarried(store) ? store.shared : store
  return {
    schema,
    store: watchedStore(opened, watch),
    lists: lists && watchedStore(lists, watch),
    carriedStore,
    carried: undefined,
    numbering: numberingOf(carriedStore, clock),
    clients: carriedStore === undefined ? limits.rememberedBrowsers : carriedClients,
    crypto,
    base,
    allowedOrigins,
    onLost,
    times,
    ring,
    findPlace: createFindPlace(ring),
    jar: createCookieJar(options.cookie ?? {}, cookieSeconds(times)),
    clock,
    allowNonBrowser: options.allowNonBrowser ?? false,
    proxies: trustProxy,
    persistent: options.cookie?.persistent ?? true,
    autoSave: options.autoSave ?? true,
    guardChanges: options.guardChanges ?? true,
    feed: options.feed ?? localFeed(),
    heartbeatSeconds,
    watch,
  }
}

function checkNames({ base, onLost, app }: { base: unknown; onLost: unknown; app: unknown }): void {
  if (typeof base !== 'string' || !/^(\/[A-Za-z0-9._~-]+)+$/.test(base))
    throw invalidOption(
      `base must be a path like /session, without a slash at its end, not ${JSON.stringify(base)}.`,
    )
  if (onLost !== 'refuse' && onLost !== 'anonymous')
    throw invalidOption(`onLost must be 'refuse' or 'anonymous', not ${JSON.stringify(onLost)}.`)
  if (typeof app !== 'string' || !/^[\w.-]{0,64}$/.test(app))
    throw invalidOption(`app takes up to 64 letters, digits and _.- but not ${JSON.stringify(app)}.`)
}

function toCarried(store: Store | CarriedStore, crypto: ServerCrypto): CarriedStore | undefined {
  if (!isCarried(store)) return undefined
  if (crypto.aead === undefined)
    throw invalidOption('crypto has no `aead`, so it cannot encrypt, and the cookie can keep no session.')
  return store
}

/**
 * Where two requests can both begin from one revision, the next number is the time: what came of the one is not
 * taken for what came of the other.
 */
function numberingOf(carriedStore: CarriedStore | undefined, clock: Clock): Core['numbering'] {
  if (carriedStore === undefined) return ({ revision }) => ({ revision: revision + 1, isFork: false })
  return ({ revision }) => ({ revision: Math.max(revision + 1, clock()), isFork: true })
}

function checkOrigin(origin: string): void {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return
  throw invalidOption(
    `allowedOrigins takes origins like https://app.example.com, not ${JSON.stringify(origin)}.`,
  )
}

/** Whether a store keeps sessions in the cookie. */
function isCarried(store: Store | CarriedStore): store is CarriedStore {
  return store.kind === 'carried'
}
