// Turns a change of the local state into events. Every tab derives them from the same documents, so each
// tells its own app, whichever tab did the work.
import type { Mutation, Outcome } from '../protocol/mutation.ts'
import type { LocalState } from '../mirror/steps/local-state.ts'
import { isParked } from '../mirror/sync/parking.ts'
import type { Emitter } from './events.ts'

export function announce(emit: Emitter['emit'], after: LocalState, before: LocalState): void {
  const { owner } = after.mirror
  const previous = before.mirror.owner
  if (owner !== previous) emit('owner', { owner, previous })
  if (isParked(after, before)) emit('parked', { count: after.parcels.length })
  if (after.outbox.settled === before.outbox.settled) return
  for (const mutation of before.outbox.sealed?.mutations ?? []) {
    const outcome = after.outbox.settled[mutation.id]
    if (outcome !== undefined) announceOutcome(emit, mutation, outcome)
  }
}

function announceOutcome(emit: Emitter['emit'], mutation: Mutation, outcome: Outcome): void {
  if (outcome.code === 'ok') return
  if (outcome.code !== 'conflict') return emit('refused', { mutation, outcome })
  const mine = mutation.kind === 'set' ? mutation.value : undefined
  emit('conflict', { key: mutation.key, mine, theirs: outcome.value })
}
