// A new session id from time to time, so that a stolen old one is worth little and its use is noticed. All who
// come with the old id get the same successor, so that tabs never race each other out of the session.
import { SessionError } from '../../protocol/errors.ts'
import { type Core, now } from '../core/core.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import type { Located } from './locate.ts'
import { type Place, isNamed, placeAfter } from '../codec/record.ts'
import { type Live, type Moved, relocate } from './relocate.ts'
import { since } from '../core/watch.ts'

export type Rotate = (from: Place) => Promise<Moved | Exclude<Located, Live>>

/**
 * Where a session is whose cookie is about to be set again, with a new id when one is due. Without this only the
 * refresh route would rotate, and browsers whose cookie every answer renews never need that. Undefined: it ended,
 * or the store does not answer; then there is no new cookie.
 */
export async function renewed(
  { core, rotate }: { readonly core: Core; readonly rotate: Rotate },
  live: Pick<Live, 'places' | 'place' | 'record'>,
  present: Moved,
): Promise<Moved | undefined> {
  if (!isRotationDue(core, live)) return present
  try {
    const moved = await rotate(present.place)
    return 'state' in moved ? undefined : moved
  } catch (error) {
    if (error instanceof SessionError) return undefined
    throw error
  }
}

/** Whether the id is old enough, or derives from a secret that is not the newest any more. */
export function isRotationDue(
  core: Core,
  { places, place, record }: Pick<Live, 'places' | 'place' | 'record'>,
): boolean {
  // Somebody who came with the old id has not received the present one yet.
  if (places.length > 1) return false
  if (place.sid?.startsWith(core.ring.newest.id) !== true) return true
  // A copy of a cookie that holds the session itself works under the old id, too: a new one would be for nothing.
  return core.carried === undefined && now(core) - record.placed >= core.times.rotateSeconds
}

export function createRotate(core: Core): Rotate {
  const running = new Map<string, ReturnType<Rotate>>()

  async function rotate(from: Place): ReturnType<Rotate> {
    const started = performance.now()
    let hasMoved = false
    const moved = await relocate(core, from, (found) => {
      hasMoved = false
      if (!isRotationDue(core, found) || !isNamed(found.place)) return undefined
      const keyId = core.ring.newest.id
      const nonce = toBase64Url(core.crypto.randomBytes(16))
      const to = placeAfter(found.place, { nonce, keyId }, core.ring)
      const record = { ...found.record, placed: now(core), presented: null }
      if (to === undefined) return undefined
      hasMoved = true
      return { to, record, leave: { kind: 'moved', nonce, keyId, next: to.key, at: now(core) } }
    })
    if (hasMoved) core.watch.tell('rotate', { milliseconds: since(started) })
    return moved
  }

  // One at a time for each session of this process; between processes the compare-and-swap decides.
  return (from) => {
    const started = running.get(from.key) ?? rotate(from).finally(() => running.delete(from.key))
    running.set(from.key, started)
    return started
  }
}
