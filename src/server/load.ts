// From a request's cookie to its session, or to the reason why there is none. A refused cookie is no cookie:
// the store is not asked.
import type { Commit } from './commit.ts'
import { type Cookie, findCookie, verifyCookie } from './cookie.ts'
import { type Core, now } from './core.ts'
import { type Located, locate } from './locate.ts'
import type { Place } from './record.ts'
import { type Live, endAll } from './relocate.ts'
import type { CoreRequest } from './request.ts'

/** Why a session that was there is not any more. */
export type DeadReason = 'expired' | 'ended' | 'lost' | 'reuse'

export interface LiveSession extends Live {
  readonly state: 'live'
  readonly cookie: Cookie
  /** The cookie has to be refreshed before it is good for an ordinary request. */
  readonly isStale: boolean
  readonly loadedAt: number
}
export interface DeadSession {
  readonly state: 'dead'
  readonly reason: DeadReason
  readonly cookie: Cookie
  readonly place: Place | undefined
}
export type Loaded = { readonly state: 'none' } | LiveSession | DeadSession

export const none: Loaded = { state: 'none' }

/** The valid session cookie of a request. @throws SessionError `ambiguous-cookie` */
export function cookieOf(core: Core, request: CoreRequest): Cookie | undefined {
  return findCookie(request.header('cookie'), core.jar.nameFor(request), (text) =>
    verifyCookie(text, core.ring, core.crypto),
  )
}

/** @throws SessionError `ambiguous-cookie`, `store-unavailable` */
export async function loadSession(core: Core, request: CoreRequest, commit: Commit): Promise<Loaded> {
  const cookie = cookieOf(core, request)
  if (cookie === undefined) return none
  const place = core.findPlace(cookie.sid)
  if (place === undefined) return { state: 'dead', reason: 'lost', cookie, place }
  const found = await locate(core, place)
  const reason = judge(core, cookie, found)
  if (reason === 'reuse') await endAll(core, found.places, 'reuse')
  if (reason !== undefined || found.state !== 'live')
    return { state: 'dead', reason: reason ?? 'lost', cookie, place }
  const loadedAt = now(core)
  const live = { ...found, cookie, isStale: loadedAt >= cookie.expires, loadedAt }
  return found.places.length === 1 && found.record.presented === null ? notePresented(live, commit) : live
}

/** Why the session is dead, or undefined. */
export function judge(core: Core, cookie: Cookie, found: Located): DeadReason | undefined {
  const { idleTimeoutSeconds, rotateGraceSeconds } = core.times
  const time = now(core)
  if (found.state === 'ended') return found.reason === 'reuse' ? 'reuse' : 'ended'
  if (found.state === 'missing') {
    return !found.isCorrupt && time >= cookie.issued + idleTimeoutSeconds ? 'expired' : 'lost'
  }
  if (found.record.revision < cookie.floor) return 'lost'
  if (time >= found.record.expires) return 'expired'
  return found.succeeded !== null && time > found.succeeded + rotateGraceSeconds ? 'reuse' : undefined
}

/** From now on the grace of the id before runs. */
async function notePresented(live: LiveSession, commit: Commit): Promise<LiveSession> {
  const { record } = await commit(live, (before) => {
    const after = before.presented === null ? { ...before, presented: live.loadedAt } : before
    return { record: after, result: undefined }
  })
  return { ...live, record }
}
