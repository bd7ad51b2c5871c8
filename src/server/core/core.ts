// What every part of the server core is given: the options, checked once, and the tools made from them.
import type { Clock } from '../../protocol/clock.ts'
import type { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { CarriedStore, Store } from '../../stores/store.ts'
import type { Times } from './assurance.ts'
import type { CoreRequest } from '../http/request.ts'
import type { CookieJar } from './cookie-jar.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import type { ErrorReport } from './error-report.ts'
import type { Feed } from './feed.ts'
import type { KeyRing } from '../codec/key-ring.ts'
import type { FindPlace, Place, SessionRecord } from '../codec/record.ts'
import type { Watch } from './watch.ts'

/** A server's options, and the tools made from them: once for all requests, or for each where the cookie keeps sessions. */
export interface Core {
  readonly schema: SessionSchema
  /** Where sessions are kept. Where that is the cookie: the store that one request has opened. */
  readonly store: Store
  /** Where the lists of owners' sessions are kept; undefined: nowhere. */
  readonly lists: Store | undefined
  /** The store that keeps sessions in the cookie, and is opened for each request; undefined: the server keeps them. */
  readonly carriedStore: CarriedStore | undefined
  /** What the cookie of this request carries beside the session's id; undefined where the server keeps sessions. */
  readonly carried: Carried | undefined
  /** How the next change of a record is numbered. */
  readonly numbering: (record: SessionRecord) => Numbering
  /** How many browsers of one session are remembered, so that each batch is applied once. */
  readonly clients: number
  readonly crypto: ServerCrypto
  readonly ring: KeyRing
  readonly findPlace: FindPlace
  readonly jar: CookieJar
  readonly times: Times
  readonly clock: Clock
  readonly base: string
  readonly allowedOrigins: readonly string[]
  readonly allowNonBrowser: boolean
  readonly onLost: 'refuse' | 'anonymous'
  /** How many proxies of ours stand before this server. */
  readonly proxies: number
  /** Whether a new session's cookie outlives the browser. */
  readonly persistent: boolean
  readonly autoSave: boolean
  readonly guardChanges: boolean
  readonly feed: Feed
  readonly heartbeatSeconds: number
  readonly watch: Watch
  /** Tells those who run the server what users see as 503. */
  readonly report: ErrorReport
  readonly keepContext: KeepContext
  /** How many sessions an owner may have. */
  readonly maxSessions: number
  /** Seconds since the sign-in within which a session may end the owner's others; undefined: any time. */
  readonly recentSignInSeconds: number | undefined
  readonly allowAnonymous: AllowAnonymous
}

/**
 * The function itself, which runs in the asynchronous context of now whenever it is called: with Node the
 * AsyncLocalStorages of the request that made it.
 */
export type KeepContext = <A extends readonly unknown[], R>(
  run: (...parameters: A) => R,
) => (...parameters: A) => R

/** Whether a browser without a session may begin one in which nobody is signed in. Is asked before the store is. */
export type AllowAnonymous = boolean | ((request: CoreRequest) => boolean | Promise<boolean>)

/** How a change of a record is numbered. */
export interface Numbering {
  /** The revision of the record after the change. */
  readonly revision: number
  /** Whether browsers that know an earlier revision get everything, because this one may not have come of that. */
  readonly isFork: boolean
}

/** A session that is kept in the cookie. */
export interface Carried {
  /** Whether it has changed, so that the cookie must be set for the browser to have it. */
  readonly isChanged: boolean
  /** The text behind the signed part of the cookie; '' when the session is kept elsewhere. */
  textFor(place: Place): string
}

/** The time now, in whole seconds since 1970. */
export function now({ clock }: Core): number {
  return Math.floor(clock() / 1000)
}

/** Seconds that a tombstone stands: as long as the last cookie that could name the session. */
export function tombstoneSeconds({ times }: Core): number {
  return cookieSeconds(times)
}

/** Seconds that a cookie lives. It outlives its session by a day, so that the server can say `expired`. */
export function cookieSeconds({ idleTimeoutSeconds }: Times): number {
  return idleTimeoutSeconds + 86_400
}

/** Tells those who watch, and those who run the server, that a request was refused. */
export function tellRefusal(core: Core, error: SessionError): void {
  core.watch.tell('refuse', { code: error.code })
  core.report.tell(error)
}
