// Where a session is now: reads the store, and follows the session from an old id to its present one. Owns the one
// mapping from a session that is gone to its error code. Never writes.
import type { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import type { Unavailable } from '../../stores/store.ts'
import {
  type EndReason,
  type Place,
  type ReadRecord,
  type Stored,
  decodeStored,
  isNamed,
  placeAfter,
} from '../codec/record.ts'
import type { Core } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'

/** All places that were looked at, the given one first. More than one: the session has moved. */
export type Places = readonly [Place, ...Place[]]

/** What became of an id since it was handed out. Times are in seconds since 1970. */
export interface Succession {
  /** When it was first known that a browser had kept one of the ids that followed; null: it is not known. */
  readonly kept: number | null
  /** When its successor was given to somebody who came with an older id; null: that was not so. */
  readonly retired: number | null
}

/** The present id. */
const notSucceeded: Succession = { kept: null, retired: null }

/** A session that was found alive. */
export interface LocatedLive extends ReadRecord {
  readonly state: 'live'
  readonly places: Places
  /** Bytes of the stored record. */
  readonly bytes: number
  /** How far the id of the given place is out of date. */
  readonly succession: Succession
}

/** A session that is gone. */
export type Gone =
  | {
      readonly state: 'ended'
      readonly places: Places
      readonly reason: EndReason
      /** Seconds since 1970. */
      readonly at: number
    }
  /** Nothing is there; or, when `isCorrupt`, something that this server did not write. */
  | { readonly state: 'missing'; readonly places: Places; readonly isCorrupt: boolean }

export type Located = LocatedLive | Gone

/** The codes of a session that the store says is gone. */
export type GoneCode = 'ended' | 'reuse' | 'lost'

/** `use`: somebody uses the session, so its idle time starts again. `look`: it does not. */
export type Purpose = 'use' | 'look'

/** @throws SessionError `store-unavailable` */
export async function locate(core: Core, from: Place, purpose: Purpose = 'use'): Promise<Located> {
  const ttlSeconds = purpose === 'use' ? core.times.idleTimeoutSeconds : null
  const places: [Place, ...Place[]] = [from]
  let place = from
  let succession = notSucceeded
  while (places.length <= limits.followedIds) {
    // oxlint-disable-next-line no-await-in-loop -- each place is only known from the one before
    const read = await core.store.read(place.key, ttlSeconds)
    if (read.kind === 'unavailable') throw unavailable(read)
    if (read.kind === 'miss') return { state: 'missing', places, isCorrupt: false }
    const stored = decodeStored(read.value, place.key, core)
    if (stored?.kind === 'tombstone') {
      const { reason, at } = stored
      return { state: 'ended', places, reason, at }
    }
    if (stored?.kind === 'live') {
      const { record } = stored
      if (places.length > 1) succession = { ...succession, kept: succession.kept ?? record.presented }
      const bytes = read.value.byteLength
      return { state: 'live', places, place, record, token: read.token, bytes, succession }
    }
    const next = stored && after(core, place, stored)
    if (stored === undefined || next === undefined) return { state: 'missing', places, isCorrupt: true }
    succession = succeeding(succession, stored, places.length === 1)
    places.push(next)
    place = next
  }
  return { state: 'missing', places, isCorrupt: true }
}

/**
 * The error code of a session that is gone. The only place that decides it: every operation that meets the end of its
 * session, before it starts or in the middle, answers with this code.
 */
export function codeOf(gone: Gone): GoneCode {
  if (gone.state === 'missing') return 'lost'
  return gone.reason === 'reuse' ? 'reuse' : 'ended'
}

/** The SessionError of a session that is gone, with the sentence of its code. */
export function goneError(gone: Gone): SessionError {
  return refusal(codeOf(gone))
}

/** The SessionError of a store that did not answer. */
export function unavailable({ cause }: Unavailable): SessionError {
  return refusal('store-unavailable', { cause, retryAfterSeconds: 1 })
}

/** `isGiven`: it is the given place that the session moved from. */
function succeeding(
  { kept, retired }: Succession,
  moved: Extract<Stored, { kind: 'moved' }>,
  isGiven: boolean,
): Succession {
  if (isGiven) return { kept, retired: moved.isRetired === true ? moved.at : null }
  return { kept: kept ?? (moved.presented === undefined ? moved.at : moved.presented), retired }
}

function after(core: Core, place: Place, moved: Extract<Stored, { kind: 'moved' }>): Place | undefined {
  return isNamed(place) ? placeAfter(place, moved, core.ring) : { sid: undefined, key: moved.next }
}
