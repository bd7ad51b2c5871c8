// What loading a request's session can find: none, a live one, or one that is dead and why.
import type { SessionError } from '../../protocol/errors.ts'
import type { Cookie } from '../codec/cookie.ts'
import type { EndReason, NamedPlace, Place, Placed, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import { type GoneCode, type Located, type LocatedLive, type Places, codeOf } from './locate.ts'

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
  readonly cookie: Cookie
  /** Seconds since 1970. */
  readonly loadedAt: number
  /** Whether the cookie has to be refreshed before it is good for an ordinary request. */
  readonly isStale: boolean

  constructor(
    { place, record, token }: Placed,
    from: { readonly places: Places; readonly cookie: Cookie; readonly loadedAt: number },
  ) {
    this.place = place
    this.record = record
    this.token = token
    this.places = from.places
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
  return isReused(found, cookie, time - rotateGraceSeconds) ? 'reuse' : undefined
}

/** Whether the cookie has an old id whose grace time is over: then somebody has a copy of it. */
function isReused({ succeeded, movedAt }: LocatedLive, cookie: Cookie, graceBegan: number): boolean {
  if (succeeded === null || succeeded >= graceBegan) return false
  // A late answer of ours may have set the old id once more, over the new one. That cookie was issued after the move; a
  // stolen copy was issued before it.
  return cookie.issued < (movedAt ?? 0)
}
