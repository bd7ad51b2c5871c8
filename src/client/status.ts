// What a session can say of itself, as one union, computed from the stored state and the last contact.
import type { Ending, LocalState } from '../mirror/steps/local-state.ts'
import type { Contact } from '../mirror/sync/pass.ts'

export type Status =
  /** Storage has not answered yet; `ready` has not resolved. */
  | { readonly state: 'starting' }
  /** In step with the server; also for a visitor who never signed in. */
  | { readonly state: 'live' }
  /** What is shown may be old, and writes wait: not asked yet, no network, server or store down, refused. */
  | { readonly state: 'stale'; readonly reason: 'unchecked' | 'offline' | 'unavailable' | 'refused' }
  | Ending

export function statusOf(state: LocalState, isReady: boolean, contact: Contact): Status {
  if (!isReady) return { state: 'starting' }
  if (state.mirror.ending !== null && state.mirror.epoch === null) return state.mirror.ending
  if (contact === 'live') return { state: 'live' }
  return { state: 'stale', reason: contact === 'none' ? 'unchecked' : contact }
}

export function isSameStatus(a: Status, b: Status): boolean {
  if (a.state !== b.state) return false
  return 'reason' in a && 'reason' in b ? a.reason === b.reason : true
}
