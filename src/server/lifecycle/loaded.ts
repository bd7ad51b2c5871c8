// What loading a request's session can find: none, a live one, or one that is dead and why.
import type { SessionError } from '../../protocol/errors.ts'
import type { Cookie } from '../codec/cookie.ts'
import type { EndReason, NamedPlace, Place, Placed, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import { type GoneCode, type Located, type Places, type Succession, codeOf } from './locate.ts'

/** Why a session that was there is not any more: the code of the error that says so. */
export type DeadReason = 'expired' | GoneCode

export interface NoSession {
  readonly state: 'none'
}

/** A session that lives, as a request loaded it. */
export class LiveSession implements Placed {
  readonly state = 'live'
  readonly place: Place
  readonly record: SessionRecord
  /** Of the read that loaded it; undefined when a commit has used it. */
  readonly token: string | undefined
  /** From where the cookie leads to where the session is. */
  readonly places: Places
  /** How far the cookie's id is out of date. */
  readonly succession: Succession
  readonly cookie: Cookie
  /** Seconds since 1970. */
  readonly loadedAt: number
  /** Whether the cookie has to be refreshed before it is good for an ordinary request. */
  readonly isStale: boolean

  constructor(
    { place, record, token }: Placed,
    from: Pick<LiveSession, 'places' | 'succession' | 'cookie' | 'loadedAt'>,
  ) {
    this.place = place
    this.record = record
    this.token = token
    this.places = from.places
    this.succession = from.succession
    this.cookie = from.cookie
    this.loadedAt = from.loadedAt
    this.isStale = from.loadedAt >= from.cookie.expires
  }
}

/** A session that a valid cookie names, and that is not there any more. */
export interface DeadSession {
  readonly state: 'dead'
  readonly reason: DeadReason
  readonly cookie: Cookie
  /** Undefined when the secret that its place derives from was removed. */
  readonly place: NamedPlace | undefined
  /** Why the session was ended, when a tombstone says so. */
  readonly endReason: EndReason | undefined
}

export type Loaded = NoSession | LiveSession | DeadSession

export const noneLoaded: NoSession = { state: 'none' }

/** The SessionError of a request that needs the session which is dead. */
export function deadError({ reason }: DeadSession): SessionError {
  return refusal(reason)
}

/** Why the session that a cookie names is dead, as it was found; undefined when it lives. */
export function judge(core: Core, cookie: Cookie, found: Located): DeadReason | undefined {
  const { idleTimeoutSeconds, rotateGraceSeconds } = core.times
  const time = now(core)
  if (found.state !== 'live') {
    const isForgotten = found.state === 'missing' && !found.isCorrupt
    return isForgotten && time >= cookie.issued + idleTimeoutSeconds ? 'expired' : codeOf(found)
  }
  if (found.record.revision < cookie.floor) return 'lost'
  if (time >= found.record.expires) return 'expired'
  return isReused(found.succession, time - rotateGraceSeconds) ? 'reuse' : undefined
}

/**
 * Whether two hold cookies of this session: a browser kept what followed the id, or its successor went to somebody with
 * an older one. What was under way meanwhile had its grace time.
 */
function isReused({ kept, retired }: Succession, graceBegan: number): boolean {
  return (kept !== null && kept < graceBegan) || (retired !== null && retired < graceBegan)
}
