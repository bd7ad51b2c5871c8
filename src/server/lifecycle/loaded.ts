// What loading a request's session can find: none, a live one, or one that is dead and why. Of several cookies in one
// request it chooses the one that counts: after a change of its attributes a browser sends the old one beside the new.
import type { SessionError } from '../../protocol/errors.ts'
import type { Cookie } from '../codec/cookie.ts'
import type { EndReason, NamedPlace, Place, Placed, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import {
  type GoneCode,
  type Located,
  type LocatedLive,
  type Places,
  type Succession,
  codeOf,
  locate,
} from './locate.ts'

/** Why a session that was there is not any more: the code of the error that says so. */
export type DeadReason = 'expired' | 'ambiguous-cookie' | GoneCode

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
  /** Nobody has opened the page yet that asks: it extends and renews nothing. */
  readonly isSpeculative: boolean

  constructor(
    { place, record, token }: Placed,
    from: Pick<LiveSession, 'places' | 'succession' | 'cookie' | 'loadedAt' | 'isSpeculative'>,
  ) {
    this.place = place
    this.record = record
    this.token = token
    this.places = from.places
    this.succession = from.succession
    this.cookie = from.cookie
    this.loadedAt = from.loadedAt
    this.isSpeculative = from.isSpeculative
    this.isStale = from.loadedAt >= from.cookie.expires
  }
}

/** A live session that is named by one cookie of a request, while another cookie names another one. */
export interface Rival {
  /** The place that the cookie names. */
  readonly place: NamedPlace
  readonly owner: string | null
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
  /**
   * It was replaced a moment ago, by a sign-in or a `regenerate`, and the answer with the new cookie may be on its way to this very
   * browser: its pages should ask again, and not take this for an end.
   */
  readonly isBeingReplaced?: boolean
  /** With `ambiguous-cookie`: the live sessions that the request's cookies name. A sign-in or sign-out ends them all. */
  readonly rivals?: readonly Rival[]
}

export type Loaded = NoSession | LiveSession | DeadSession

export const noneLoaded: NoSession = { state: 'none' }

/** The SessionError of a request that needs the session which is dead. */
export function deadError({ reason, isBeingReplaced = false }: DeadSession): SessionError {
  return refusal(reason, isBeingReplaced ? { retryAfterSeconds: 1 } : {})
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

/** The one cookie that counts, or the sessions between which the server cannot choose. */
export type Choice =
  | { readonly kind: 'one'; readonly cookie: Cookie }
  | { readonly kind: 'rivals'; readonly rivals: readonly Rival[] }

interface Candidate {
  readonly cookie: Cookie
  readonly place: NamedPlace
  readonly found: LocatedLive
  /** `reuse`: an old id, which is no sign of theft where the same browser has the new one, too. */
  readonly reason: DeadReason | undefined
}

/** @throws SessionError `store-unavailable` */
export async function chooseCookie(core: Core, cookies: readonly [Cookie, ...Cookie[]]): Promise<Choice> {
  const looks = await Promise.all(cookies.map((cookie) => lookAt(core, cookie)))
  const candidates = looks.flatMap((candidate) => candidate ?? []).toSorted(byWorth)
  const [best] = candidates
  if (best === undefined) return { kind: 'one', cookie: youngestOf(cookies) }
  const live = candidates.filter(({ reason }) => reason === undefined)
  const rivals = new Map(live.toReversed().map((one) => [one.found.place.key, one]))
  if (rivals.size < 2) return { kind: 'one', cookie: best.cookie }
  return {
    kind: 'rivals',
    rivals: Array.from(rivals.values(), ({ place, found }) => ({ place, owner: found.record.owner })),
  }
}

async function lookAt(core: Core, cookie: Cookie): Promise<Candidate | undefined> {
  const place = core.findPlace(cookie.sid)
  if (place === undefined) return undefined
  const found = await locate(core, place, 'look')
  if (found.state !== 'live') return undefined
  const reason = judge(core, cookie, found)
  return reason === undefined || reason === 'reuse' ? { cookie, place, found, reason } : undefined
}

/** First what is no sign of theft, then what is nearest to where its session is, then what was set last. */
function byWorth(one: Candidate, other: Candidate): number {
  return (
    Number(one.reason !== undefined) - Number(other.reason !== undefined) ||
    one.found.places.length - other.found.places.length ||
    other.cookie.issued - one.cookie.issued
  )
}

function youngestOf([first, ...others]: readonly [Cookie, ...Cookie[]]): Cookie {
  return others.reduce((youngest, cookie) => (cookie.issued > youngest.issued ? cookie : youngest), first)
}
