// A new session id from time to time, so that a stolen old one is worth little and its use is noticed. All who come
// with the old id get the same successor, so that tabs never race each other out of the session.
import { SessionError } from '../../protocol/errors.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import { type Place, type Placed, isNamed, placeAfter } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { millisecondsSince } from '../core/watch.ts'
import type { LiveSession } from './loaded.ts'
import { type Relocated, type Relocation, relocate } from './relocate.ts'
import type { LocatedLive } from './locate.ts'

/**
 * Gives the session at a place a new id, if one is due.
 * @throws SessionError `store-unavailable`, `contention`
 */
export type Rotate = (from: Place) => Promise<Relocated>

/**
 * Where a session is whose cookie is about to be set again, with a new id when one is due. Without this only the
 * refresh route would rotate, and browsers whose cookie every answer renews never need that route.
 * @returns undefined when the session ended, or the store does not answer: then there is no new cookie
 */
export async function rotateIfDue(
  { core, rotate }: { readonly core: Core; readonly rotate: Rotate },
  live: LiveSession,
  present: Placed,
): Promise<Placed | undefined> {
  if (!isRotationDue(core, live)) return present
  try {
    const rotated = await rotate(present.place)
    return rotated.state === 'live' ? rotated.placed : undefined
  } catch (error) {
    if (error instanceof SessionError) return undefined
    throw error
  }
}

/** Whether the id is old enough, or derives from a secret that is not the newest any more. */
export function isRotationDue(
  core: Core,
  { places, place, record }: Pick<LocatedLive, 'places' | 'place' | 'record'>,
): boolean {
  // Somebody who came with the old id has not received the present one yet.
  if (places.length > 1) return false
  if (place.sid?.startsWith(core.ring.newest.id) !== true) return true
  // A copy of a cookie that holds the session itself works under the old id, too: a new id would change nothing.
  return core.carried === undefined && now(core) - record.placed >= core.times.rotateSeconds
}

export function createRotate(core: Core): Rotate {
  const running = new Map<string, ReturnType<Rotate>>()
  // One at a time for each session of this process; between processes the compare-and-swap decides.
  return (from) => {
    const started = running.get(from.key) ?? rotateNow(core, from).finally(() => running.delete(from.key))
    running.set(from.key, started)
    return started
  }
}

async function rotateNow(core: Core, from: Place): Promise<Relocated> {
  const started = performance.now()
  let hasMoved = false
  const relocated = await relocate(core, from, (found) => {
    const rotation = isRotationDue(core, found) ? rotationOf(core, found) : undefined
    hasMoved = rotation !== undefined
    return rotation
  })
  if (hasMoved) core.watch.tell('rotate', { milliseconds: millisecondsSince(started) })
  return relocated
}

function rotationOf(core: Core, { place, record }: LocatedLive): Relocation | undefined {
  if (!isNamed(place)) return undefined
  const keyId = core.ring.newest.id
  const nonce = toBase64Url(core.crypto.randomBytes(16))
  const to = placeAfter(place, { nonce, keyId }, core.ring)
  if (to === undefined) return undefined
  const time = now(core)
  return {
    to,
    record: { ...record, placed: time, presented: null },
    leave: { kind: 'moved', nonce, keyId, next: to.key, at: time },
  }
}
