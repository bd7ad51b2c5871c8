// The options of `createSessions`, as types. `create-core` checks them and makes the core of them.
import type { Clock } from '../../protocol/clock.ts'
import type { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { CarriedStore, Store } from '../../stores/store.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import type { Assurance } from '../core/assurance.ts'
import type { CookieOptions } from '../core/cookie-jar.ts'
import type { AllowAnonymous, KeepContext } from '../core/core.ts'
import type { Feed } from '../core/feed.ts'
import type { WatchChannels } from '../core/watch.ts'

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
  /**
   * Told, once for each code, of what users see as 503: `store-unavailable`, with what the store said as `cause`, and
   * `contention`. Also told, each time, of mistakes of the app that an answer does not show, and of changes in a stream of
   * `sessions.route` that nobody saves (`answer-begun`). Must not throw. The channels hear of each. @default the `onError` of `sessionMiddleware`, else one
   * sentence on `console.error`, which shows codes and never what the store said
   */
  readonly onError?: (error: SessionError) => void
  /** The time in milliseconds since 1970. @default the system's */
  readonly clock?: Clock
  /**
   * Where the lists of owners' sessions are kept, with the marks that `revokeAll` and `revokeEverybody` leave: a store that
   * forgets nothing by itself, beside one that may. Anonymous traffic can push the lists out of a full memcached, and then
   * `revokeAll` misses sessions until their next refresh. @default `store`
   */
  readonly lists?: Store
  /** How many sessions an owner may have, from 1 to 100. One more ends the one that was used last the longest ago. @default 100 */
  readonly maxSessions?: number
  /**
   * Seconds since the sign-in within which a page may end its owner's other sessions (`session.endOthers()`); later it is
   * refused with `sign-in-too-old`, so that a stolen session cannot lock its owner out (ASVS 7.5.2). @default any time
   */
  readonly recentSignInSeconds?: number
  /**
   * Whether a browser may begin a session in which nobody is signed in, or a function that decides it for a request, such as
   * a limit for each address. Refused: 503 `anonymous-full`, and the browser keeps its changes and tries again. Where the
   * function rejects, the request fails with what it rejected with. @default true
   */
  readonly allowAnonymous?: AllowAnonymous
  /**
   * Makes a function run in the asynchronous context in which it was given. @default with Node: `AsyncLocalStorage.snapshot`;
   * else the function itself
   */
  readonly keepContext?: KeepContext
}
