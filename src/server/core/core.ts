// What every part of the server core is given: the options, checked once, and the tools made from them.
import type { Clock } from '../../protocol/clock.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { CarriedStore, Store } from '../../stores/store.ts'
import type { Times } from './assurance.ts'
import type { CookieJar } from './cookie-jar.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import type { Feed } from './feed.ts'
import type { KeyRing } from '../codec/key-ring.ts'
import type { FindPlace, Place, SessionRecord } from '../codec/record.ts'
import type { Watch } from './watch.ts'

export interface Core {
  readonly schema: SessionSchema
  /** Where sessions are. Of one that keeps them in the cookie: as one request has it. */
  readonly store: Store
  /** Where the lists of owners' sessions are, if there are any. */
  readonly lists: Store | undefined
  /** Keeps sessions in the cookie, and is opened for each request. */
  readonly carriedStore: CarriedStore | undefined
  /** What the cookie of this request carries beside the session's id. */
  readonly carried: Carried | undefined
  /** How the next change of a record is numbered. */
  readonly numbering: (record: SessionRecord) => Numbering
  /** Browsers of one session that are remembered, for exactly-once. */
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
  /** Proxies of ours in front of this server. */
  readonly proxies: number
  /** Whether a new session's cookie outlives the browser. */
  readonly persistent: boolean
  readonly autoSave: boolean
  readonly guardChanges: boolean
  readonly feed: Feed
  readonly heartbeatSeconds: number
  readonly watch: Watch
}

/** How a change is numbered. */
export interface Numbering {
  /** Of the record after it. */
  readonly revision: number
  /** Whether browsers that know an earlier one are told everything, because that one may not have led here. */
  readonly isFork: boolean
}

export interface Carried {
  /** Whether the browser has something else than the store. */
  readonly isChanged: boolean
  /** What goes behind the signed part of the cookie: '' when the session is elsewhere. */
  textFor(place: Place): string
}

/** Whole seconds since 1970. */
export function now({ clock }: Core): number {
  return Math.floor(clock() / 1000)
}

/** How long a tombstone stands: as long as the last cookie that could name the session. */
export function tombstoneSeconds({ times }: Core): number {
  return cookieSeconds(times)
}

/** A cookie outlives its session by a day, so that the server can say `expired` instead of nothing. */
export function cookieSeconds({ idleTimeoutSeconds }: Times): number {
  return idleTimeoutSeconds + 86_400
}
