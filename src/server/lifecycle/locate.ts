// Where a session is now: reads the store and follows the session from an old id to its present one.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import type { Unavailable } from '../../stores/store.ts'
import type { Core } from '../core/core.ts'
import {
  type EndReason,
  type Place,
  type SessionRecord,
  type Stored,
  decodeStored,
  isNamed,
  placeAfter,
} from '../codec/record.ts'

/** `places` are all that were looked at, the given one first: more than one when the session has moved. */
export type Located =
  | {
      readonly state: 'live'
      readonly places: readonly Place[]
      readonly place: Place
      readonly record: SessionRecord
      /** For one `replace` of this request. */
      readonly token: string
      readonly bytes: number
      /** When a browser first came with the id that followed the given one; null: not yet. */
      readonly succeeded: number | null
      /** When the session moved on from the given place; null: it is still there. */
      readonly movedAt: number | null
    }
  | { readonly state: 'ended'; readonly places: readonly Place[]; readonly reason: EndReason }
  /** Nothing is there; or, when `isCorrupt`, something that this server did not write. */
  | { readonly state: 'missing'; readonly places: readonly Place[]; readonly isCorrupt: boolean }

/** `use`: somebody uses the session, so its idle time begins anew. `look`: it does not. */
export type Purpose = 'use' | 'look'

/** @throws SessionError `store-unavailable` */
export async function locate(core: Core, from: Place, purpose: Purpose = 'use'): Promise<Located> {
  const ttlSeconds = purpose === 'use' ? core.times.idleTimeoutSeconds : null
  const places = [from]
  let place = from
  let succeeded: number | null | undefined
  let movedAt: number | null = null
  while (places.length <= limits.followedIds) {
    // oxlint-disable-next-line no-await-in-loop -- each place is only known from the one before
    const read = await core.store.read(place.key, ttlSeconds)
    if (read.kind === 'unavailable') throw unavailable(read)
    if (read.kind === 'miss') return { state: 'missing', places, isCorrupt: false }
    const stored = decodeStored(read.value, place.key, core)
    if (stored?.kind === 'tombstone') return { state: 'ended', places, reason: stored.reason }
    if (stored?.kind === 'live') {
      const { record } = stored
      if (places.length === 2) succeeded = record.presented
      const found = { places, place, record, token: read.token, bytes: read.value.byteLength }
      return { state: 'live', ...found, succeeded: succeeded ?? null, movedAt }
    }
    // A successor moves on only after a browser came with it.
    if (places.length === 2) succeeded = stored?.at
    const next = stored && after(core, place, stored)
    if (next === undefined) return { state: 'missing', places, isCorrupt: true }
    movedAt ??= stored?.at ?? null
    places.push(next)
    place = next
  }
  return { state: 'missing', places, isCorrupt: true }
}

function after(core: Core, place: Place, moved: Extract<Stored, { kind: 'moved' }>): Place | undefined {
  return isNamed(place) ? placeAfter(place, moved, core.ring) : { sid: undefined, key: moved.next }
}

export function unavailable({ cause }: Unavailable): SessionError {
  return new SessionError('store-unavailable', undefined, { cause, retryAfterSeconds: 1 })
}

/** A commit met the end of its session. */
export function toError(located: Exclude<Located, { state: 'live' }>): SessionError {
  if (located.state === 'missing') return new SessionError('lost')
  return new SessionError(located.reason === 'reuse' ? 'reuse' : 'ended')
}
