// From a request's cookie to its session, or to the reason why there is none. A refused cookie is no cookie:
// the store is not asked.
import { SessionError } from '../../protocol/errors.ts'
import type { Commit } from './commit.ts'
import { type Cookie, findCookie, verifyCookie } from '../codec/cookie.ts'
import { type Core, now } from '../core/core.ts'
import { type Located, locate } from './locate.ts'
import type { Owners } from './owners.ts'
import type { EndReason, NamedPlace } from '../codec/record.ts'
import { type Live, endAll, endSession } from './relocate.ts'
import { wantsRenewal } from './renew.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Rotate } from './rotate.ts'
import { type WatchedEvents, since } from '../core/watch.ts'

/** Why a session that was there is not any more. */
export type DeadReason = 'expired' | 'ended' | 'lost' | 'reuse'

export interface LiveSession extends Omit<Live, 'token'> {
  readonly state: 'live'
  readonly token: string | undefined
  readonly cookie: Cookie
  /** The cookie has to be refreshed before it is good for an ordinary request. */
  readonly isStale: boolean
  readonly loadedAt: number
}
export interface DeadSession {
  readonly state: 'dead'
  readonly reason: DeadReason
  readonly cookie: Cookie
  readonly place: NamedPlace | undefined
  /** Of a tombstone. */
  readonly endReason: EndReason | undefined
}
export type Loaded = { readonly state: 'none' } | LiveSession | DeadSession

export const none: Loaded = { state: 'none' }

/** What loading needs. */
export interface Loading {
  readonly core: Core
  readonly commit: Commit
  readonly owners: Owners
  readonly rotate: Rotate
}

/** The valid session cookie of a request. @throws SessionError `ambiguous-cookie` */
export function cookieOf(core: Core, request: CoreRequest): Cookie | undefined {
  const header = request.header('cookie')
  const name = core.jar.nameFor(request)
  const cookie = findCookie(header, name, (text) => verifyCookie(text, core.ring, core.crypto))
  if (cookie === undefined && core.watch.isOn('refuse') && header?.includes(`${name}=`) === true)
    core.watch.tell('refuse', { code: 'unsigned-cookie' })
  return cookie
}

/** @throws SessionError `ambiguous-cookie`, `store-unavailable` */
export function loadSession(tools: Loading, request: CoreRequest): Promise<Loaded> {
  return tools.core.watch.isOn('load') ? loadWatched(tools, request) : load(tools, request)
}

async function loadWatched(tools: Loading, request: CoreRequest): Promise<Loaded> {
  const started = performance.now()
  const loaded = await load(tools, request)
  tools.core.watch.tell('load', { state: stateOf(loaded), milliseconds: since(started) })
  return loaded
}

async function load(
  { core, commit, owners }: Omit<Loading, 'rotate'>,
  request: CoreRequest,
): Promise<Loaded> {
  const cookie = cookieOf(core, request)
  if (cookie === undefined) return none
  const place = core.findPlace(cookie.sid)
  const dead = (reason: DeadReason, endReason?: EndReason): DeadSession => {
    return { state: 'dead', reason, cookie, place, endReason }
  }
  if (place === undefined) {
    core.watch.tell('lost', { cause: 'unknown-secret' })
    return dead('lost')
  }
  const found = await locate(core, place)
  const reason = judge(core, cookie, found)
  if (reason === 'reuse') await endReused(core, found)
  if (reason === 'lost') core.watch.tell('lost', { cause: causeOf(found) })
  if (reason !== undefined || found.state !== 'live')
    return dead(reason ?? 'lost', found.state === 'ended' ? found.reason : undefined)
  const loadedAt = now(core)
  const live: LiveSession = { ...found, cookie, isStale: loadedAt >= cookie.expires, loadedAt }
  // Where the cookie is about to be set again, somebody uses the session.
  if (wantsRenewal(core, live) && !(await owners.keep(live.place, live.record)))
    return dead('ended', 'revoked')
  if (found.places.length > 1 || found.record.presented !== null) return live
  try {
    return await notePresented(live, commit)
  } catch (error) {
    // It ended in this very moment: what the next request would find.
    if (isEnd(error)) return dead(error.code)
    // Others write much: who comes next notes it.
    if (error instanceof SessionError && error.code === 'contention') return live
    throw error
  }
}

function isEnd(error: unknown): error is SessionError & { readonly code: 'ended' | 'lost' | 'reuse' } {
  return error instanceof SessionError && ['ended', 'lost', 'reuse'].includes(error.code)
}

/** Somebody has a copy of the cookie: nobody gets on with it. */
async function endReused(core: Core, found: Located): Promise<void> {
  if (found.state !== 'live') return
  const { epoch, owner } = found.record
  // First where it lives, by compare-and-swap: it may be moving on in this very moment.
  await endSession(core, found.place, 'reuse')
  await endAll(core, found.places.slice(0, -1), 'reuse')
  core.feed.publish(epoch)
  core.watch.tell('reuse', { epoch, owner })
}

function stateOf(loaded: Loaded): WatchedEvents['load']['state'] {
  if (loaded.state === 'dead') return loaded.reason
  return loaded.state === 'live' && loaded.isStale ? 'stale' : loaded.state
}

function causeOf(found: Located): WatchedEvents['lost']['cause'] {
  if (found.state === 'live') return 'outdated'
  return found.state === 'missing' && found.isCorrupt ? 'corrupt' : 'missing'
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
  if (found.succeeded === null || time <= found.succeeded + rotateGraceSeconds) return undefined
  // A late answer of ours set the old id once more, over the new one: whoever has that has stolen nothing. A copy from
  // before the move was issued before it.
  return cookie.issued >= (found.movedAt ?? 0) ? undefined : 'reuse'
}

/** From now on the grace of the id before runs. */
async function notePresented(live: LiveSession, commit: Commit): Promise<LiveSession> {
  const { place, record } = await commit(live, (before) => {
    const after = before.presented === null ? { ...before, presented: live.loadedAt } : before
    return { record: after, result: undefined }
  })
  return { ...live, place, record, token: undefined }
}
