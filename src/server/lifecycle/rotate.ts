// A new session id from time to time, so that a stolen old one is worth little and its use is noticed. A new id goes to
// one answer, and to those under way at that very moment: two who hold cookies of one session then always meet as two.
// Whoever has lost the answer, or was killed before the cookie was on its disk, gets another new id.
import { SessionError } from '../../protocol/errors.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import * as limits from '../../protocol/limits.ts'
import { type Place, type Placed, type SessionRecord, isNamed, placeAfter } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { millisecondsSince } from '../core/watch.ts'
import type { LiveSession } from './loaded.ts'
import type { Gone, LocatedLive, Places } from './locate.ts'
import { type Relocation, relocate } from './relocate.ts'

/** What a cookie that is to be set again names; undefined: it is not set again. Or how the session was found gone. */
export type Renewed = { readonly state: 'live'; readonly placed: Placed | undefined } | Gone

/**
 * Decides anew, by what is stored now, what somebody gets who came with an id; gives the session a new one if that is due.
 * @throws SessionError `store-unavailable`, `contention`
 */
export type Rotate = (from: Place, comer: Comer) => Promise<Renewed>

/** How a request came with an id. */
interface Comer {
  /** Whether it needs a new cookie: the one that came is stale, or the request asks for nothing else. */
  readonly isNeedy: boolean
  /** Whether the id was the present one when the request was loaded. */
  readonly wasPresent: boolean
}

/** The id that a renewed cookie names: none, so it is not renewed; the one that came; the present one; a new one. */
type Renewal = 'none' | 'given-id' | 'present-id' | 'new-id'

interface Renewing {
  readonly core: Core
  readonly rotate: Rotate
}

type Succeeded = Pick<LocatedLive, 'places' | 'place' | 'record' | 'succession'>

/**
 * Whether the cookie of a live session is to be set again: more than half of its fresh time is over, or a newer secret
 * signs. An old id gets a new cookie only as `renewalOf` says.
 */
export function wantsRenewal(core: Core, live: LiveSession): boolean {
  if (live.isSpeculative) return false
  if (live.places.length > 1) return renewalOf(core, live, live.isStale) !== 'none'
  if (live.isStale || live.cookie.keyId !== core.ring.newest.id) return true
  return now(core) - live.cookie.issued > core.times.freshSeconds / 2
}

/**
 * What a cookie names that is about to be set again, with a new id when one is due. Without this only the refresh route
 * would rotate, and browsers whose cookie every answer renews never need that route.
 * @returns undefined when the session ended, when the store does not answer, or when an old id gets nothing: then there
 * is no new cookie
 */
export async function renew(
  renewing: Renewing,
  live: LiveSession,
  present: Placed,
): Promise<Placed | undefined> {
  try {
    const renewed = await renewOrTell(renewing, live, { present, isNeedy: live.isStale })
    return renewed.state === 'live' ? renewed.placed : undefined
  } catch (error) {
    if (error instanceof SessionError) return undefined
    throw error
  }
}

/** As `renew`, but says how the session was found gone. @throws SessionError `store-unavailable`, `contention` */
export async function renewOrTell(
  { core, rotate }: Renewing,
  live: LiveSession,
  { present, isNeedy }: { readonly present: Placed; readonly isNeedy: boolean },
): Promise<Renewed> {
  const renewal = renewalOf(core, live, isNeedy)
  // What moved while this request ran is looked at again.
  if (renewal === 'new-id' || present.place.key !== live.place.key)
    return rotate(live.places[0], { isNeedy, wasPresent: live.places.length === 1 })
  return { state: 'live', placed: placedBy(renewal, live.places, present) }
}

/** Whether a browser that comes now with the id of the record has it on its disk. */
export function isKept(core: Core, { placed }: SessionRecord): boolean {
  return now(core) - placed >= limits.keptSeconds
}

/**
 * Who holds the present id gets it again, or a new one when that is due. An old id that nobody has superseded for
 * certain is that of a browser which never got the new one, or lost it: it can go on with what it has, and gets a new id
 * when it has to. It never gets the present one: that was given to somebody else.
 */
function renewalOf(
  core: Core,
  { places, place, record, succession: { kept, retired } }: Succeeded,
  isNeedy: boolean,
): Renewal {
  if (places.length === 1) return isRotationDue(core, { place, record }) ? 'new-id' : 'given-id'
  // A copy of a cookie that holds the session itself works under the old id, too: nothing is to be kept from it.
  if (core.carried !== undefined) return 'present-id'
  if (kept !== null || retired !== null) return 'none'
  const age = now(core) - record.placed
  // What is under way beside the answer with the new id may arrive after it: it must not take it away.
  if (age <= core.times.rotateGraceSeconds) return isNeedy ? 'given-id' : 'none'
  return isNeedy || age >= core.times.rotateSeconds ? 'new-id' : 'none'
}

/** Whether the present id is old enough, or derives from a secret that is not the newest any more. */
function isRotationDue(core: Core, { place, record }: Placed): boolean {
  if (place.sid?.startsWith(core.ring.newest.id) !== true) return true
  return core.carried === undefined && now(core) - record.placed >= core.times.rotateSeconds
}

/**
 * Whether another request with the same id gave the session a new one while this request was under way: both get the
 * same. Nobody can wait for that with a copy, because a request that began in time would have been first itself.
 */
function hasSuccessor({ places, succession }: LocatedLive, { wasPresent }: Comer): boolean {
  return wasPresent && places.length === 2 && succession.kept === null && succession.retired === null
}

function placedBy(renewal: Renewal, [given]: Places, present: Placed): Placed | undefined {
  if (renewal === 'given-id') return { place: given, record: present.record }
  return renewal === 'present-id' ? present : undefined
}

export function createRotate(core: Core): Rotate {
  const running = new Map<string, Promise<Renewed>>()
  // One at a time for each id of this process; between processes the compare-and-swap decides.
  return (from, comer) => {
    const name = `${comer.isNeedy ? 'needy' : 'calm'} ${comer.wasPresent ? 'present' : 'old'} ${from.key}`
    const started = running.get(name) ?? rotateNow(core, from, comer).finally(() => running.delete(name))
    running.set(name, started)
    return started
  }
}

async function rotateNow(core: Core, from: Place, comer: Comer): Promise<Renewed> {
  const started = performance.now()
  let hasMoved = false
  let renewal: Renewal = 'none'
  let places: Places = [from]
  const relocated = await relocate(core, from, (found) => {
    places = found.places
    renewal = hasSuccessor(found, comer) ? 'present-id' : renewalOf(core, found, comer.isNeedy)
    const rotation = renewal === 'new-id' ? rotationOf(core, found) : undefined
    hasMoved = rotation !== undefined
    return rotation
  })
  if (relocated.state !== 'live') return relocated
  if (hasMoved) core.watch.tell('rotate', { milliseconds: millisecondsSince(started) })
  return {
    state: 'live',
    placed: hasMoved ? relocated.placed : placedBy(renewal, places, relocated.placed),
  }
}

function rotationOf(core: Core, { places, place, record }: LocatedLive): Relocation | undefined {
  if (!isNamed(place)) return undefined
  const keyId = core.ring.newest.id
  const nonce = toBase64Url(core.crypto.randomBytes(16))
  const to = placeAfter(place, { nonce, keyId }, core.ring)
  if (to === undefined) return undefined
  const at = now(core)
  // Who comes with the present id presents it.
  const isGiven = places.length === 1
  const presented = record.presented ?? (isGiven && isKept(core, record) ? at : null)
  return {
    to,
    record: { ...record, placed: at, presented: null },
    leave: { kind: 'moved', nonce, keyId, next: to.key, at, presented, isRetired: !isGiven },
  }
}
