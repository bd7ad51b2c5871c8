// From a request's cookie to its session, or to the reason why there is none. A refused cookie is no cookie: the store
// is not asked.
import { SessionError } from '../../protocol/errors.ts'
import { type Cookie, findCookies, verifyCookie } from '../codec/cookie.ts'
import type { NamedPlace } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { type WatchedEvents, millisecondsSince } from '../core/watch.ts'
import { isSpeculative } from '../core/guard.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Commit } from './commit.ts'
import { endAll, endSession } from './relocate.ts'
import type { Lifecycle } from './lifecycle.ts'
import {
  type DeadSession,
  LiveSession,
  type Loaded,
  chooseCookie,
  deadError,
  judge,
  noneLoaded,
} from './loaded.ts'
import { type GoneCode, type Located, type LocatedLive, locate } from './locate.ts'
import { isKept, wantsRenewal } from './rotate.ts'

/** The valid session cookies of a request: one for each session id that came. */
export function cookiesOf(core: Core, request: CoreRequest): readonly Cookie[] {
  const header = request.header('cookie')
  const name = core.jar.nameFor(request)
  const cookies = findCookies(header, name, (text) => verifyCookie(text, core.ring, core.crypto))
  if (cookies.length === 0 && core.watch.isOn('refuse') && header?.includes(`${name}=`) === true)
    core.watch.tell('refuse', { code: 'unsigned-cookie' })
  return cookies
}

/** @throws SessionError `ambiguous-cookie`, `store-unavailable` */
export async function loadSession(lifecycle: Lifecycle, request: CoreRequest): Promise<Loaded> {
  const loaded = await loadAny(lifecycle, request)
  if (loaded.state === 'dead' && loaded.reason === 'ambiguous-cookie') throw deadError(loaded)
  return loaded
}

/**
 * As `loadSession`, but two live sessions in one request are a dead one with the reason `ambiguous-cookie`: for what can
 * lead the browser out of that state.
 * @throws SessionError `store-unavailable`
 */
export function loadAny(lifecycle: Lifecycle, request: CoreRequest): Promise<Loaded> {
  return lifecycle.core.watch.isOn('load') ? loadWatched(lifecycle, request) : load(lifecycle, request)
}

async function loadWatched(lifecycle: Lifecycle, request: CoreRequest): Promise<Loaded> {
  const started = performance.now()
  const loaded = await load(lifecycle, request)
  const milliseconds = millisecondsSince(started)
  lifecycle.core.watch.tell('load', { state: watchedState(loaded), milliseconds })
  return loaded
}

async function load(lifecycle: Lifecycle, request: CoreRequest): Promise<Loaded> {
  const { core } = lifecycle
  const [first, ...others] = cookiesOf(core, request)
  if (first === undefined) return noneLoaded
  const speculative = isSpeculative(request)
  if (others.length === 0) return loadCookie(lifecycle, first, speculative)
  const choice = await chooseCookie(core, [first, ...others])
  if (choice.kind === 'one') return loadCookie(lifecycle, choice.cookie, speculative)
  const { rivals } = choice
  return {
    state: 'dead',
    reason: 'ambiguous-cookie',
    cookie: first,
    place: undefined,
    endReason: undefined,
    rivals,
  }
}

/** An answer that replaces a session reaches its browser within this time, or not at all. */
const beingReplacedSeconds = 10

async function loadCookie(
  lifecycle: Lifecycle,
  cookie: Cookie,
  speculative: boolean,
): Promise<LiveSession | DeadSession> {
  const { core } = lifecycle
  const place = core.findPlace(cookie.sid)
  if (place === undefined) {
    core.watch.tell('lost', { cause: 'unknown-secret' })
    return { state: 'dead', reason: 'lost', cookie, place, endReason: undefined }
  }
  const found = await locate(core, place, speculative ? 'look' : 'use')
  const reason = judge(core, cookie, found)
  if (found.state === 'live' && reason === undefined)
    return begin(lifecycle, { cookie, place, found, isSpeculative: speculative })
  if (found.state === 'live' && reason === 'reuse') await endReused(core, found)
  if (reason === 'lost') core.watch.tell('lost', { cause: lossOf(found) })
  const endReason = found.state === 'ended' ? found.reason : undefined
  const isBeingReplaced =
    found.state === 'ended' && found.reason === 'replaced' && now(core) - found.at <= beingReplacedSeconds
  return { state: 'dead', reason: reason ?? 'lost', cookie, place, endReason, isBeingReplaced }
}

interface LiveCookie {
  readonly cookie: Cookie
  readonly place: NamedPlace
  readonly found: LocatedLive
  readonly isSpeculative: boolean
}

/** A live session is used: notes that where it matters. It may end in this very moment. */
async function begin(
  { core, owners, commit }: Lifecycle,
  { cookie, place, found, isSpeculative: speculative }: LiveCookie,
): Promise<LiveSession | DeadSession> {
  const { places, succession } = found
  const live = new LiveSession(found, {
    places,
    succession,
    cookie,
    loadedAt: now(core),
    isSpeculative: speculative,
  })
  if (speculative) return live
  // Where the cookie is about to be set again, somebody uses the session.
  if (wantsRenewal(core, live) && !(await owners.keep(live.place, live.record)))
    return { state: 'dead', reason: 'ended', cookie, place, endReason: 'revoked' }
  if (places.length > 1 || live.record.presented !== null || !isKept(core, live.record)) return live
  try {
    return await notePresented(live, commit)
  } catch (error) {
    // It ended just now: the next request would find the same.
    if (isEnd(error)) return { state: 'dead', reason: error.code, cookie, place, endReason: undefined }
    // Others write much: the next request that comes with this id notes it.
    if (error instanceof SessionError && error.code === 'contention') return live
    throw error
  }
}

/** The browser has kept the id: from now on the grace time of the id before runs. */
async function notePresented(live: LiveSession, commit: Commit): Promise<LiveSession> {
  const { places, succession, cookie, loadedAt } = live
  const { place, record } = await commit(live, (before) => {
    const after = before.presented === null ? { ...before, presented: loadedAt } : before
    return { record: after, result: undefined }
  })
  return new LiveSession({ place, record }, { places, succession, cookie, loadedAt, isSpeculative: false })
}

function isEnd(error: unknown): error is SessionError & { readonly code: GoneCode } {
  return error instanceof SessionError && ['ended', 'lost', 'reuse'].includes(error.code)
}

/** Somebody has a copy of the cookie. The session ends, for the thief and for its owner. */
async function endReused(core: Core, { place, places, record }: LocatedLive): Promise<void> {
  const { epoch, owner } = record
  // First where it lives, by compare-and-swap: it may be moving on in this very moment.
  await endSession(core, place, 'reuse')
  await endAll(core, places.slice(0, -1), 'reuse')
  core.feed.publish(epoch)
  core.watch.tell('reuse', { epoch, owner })
}

function watchedState(loaded: Loaded): WatchedEvents['load']['state'] {
  if (loaded.state === 'dead') return loaded.reason
  return loaded.state === 'live' && loaded.isStale ? 'stale' : loaded.state
}

function lossOf(found: Located): WatchedEvents['lost']['cause'] {
  if (found.state === 'live') return 'outdated'
  return found.state === 'missing' && found.isCorrupt ? 'corrupt' : 'missing'
}
