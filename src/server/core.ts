// What every part of the server core is given: the options, checked once, and the tools made from them.
import type { Clock } from '../protocol/clock.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { Store } from '../stores/store.ts'
import type { CookieJar } from './cookie-jar.ts'
import type { ServerCrypto } from './crypto.ts'
import type { KeyRing } from './keys.ts'
import type { FindPlace } from './record.ts'

/** All in seconds. */
export interface Times {
  readonly idleTimeoutSeconds: number
  readonly absoluteTimeoutSeconds: number
  readonly freshSeconds: number
  readonly rotateSeconds: number
  readonly rotateGraceSeconds: number
}

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
