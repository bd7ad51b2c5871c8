// What every part of the server core is given: the options, checked once, and the tools made from them.
import type { Clock } from '../protocol/clock.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { Store } from '../stores/store.ts'
import type { Times } from './assurance.ts'
import type { CookieJar } from './cookie-jar.ts'
import type { ServerCrypto } from './crypto.ts'
import type { Feed } from './feed.ts'
import type { KeyRing } from './keys.ts'
import type { FindPlace } from './record.ts'
import type { Watch } from './watch.ts'

export interface Core {
  readonly schema: SessionSchema
  readonly store: Store
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
