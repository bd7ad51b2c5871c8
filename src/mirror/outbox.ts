// The outbox as pure steps: add, seal, settle, fork. Each takes the local state and returns the next one;
// storage runs them inside one transaction, so no two tabs ever seal the same mutation twice.
import { limits } from '../protocol/limits.ts'
import type { Base, Mutation, Outcome } from '../protocol/mutation.ts'
import type { LocalState, OpenMutation, OutboxDocument, Sealed } from './local.ts'
import { randomToken } from './token.ts'

/** Adds a write. An earlier open `set` or `remove` of the key gives way to it: only the last one counts. */
export function withOpen(open: readonly OpenMutation[], added: OpenMutation): readonly OpenMutation[] {
  const others = open.filter(
    (entry) => entry.stamp !== added.stamp && !isReplacedBy(entry.mutation, added.mutation),
  )
  return [...others, added].toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1))
}

/** Whether a `set` or `remove` makes an open mutation of the same key pointless. */
export function isReplacedBy(earlier: Mutation, later: Mutation): boolean {
  return earlier.key === later.key && later.kind !== 'increment'
}

/**
 * Seals the next batch unless one is already on its way. The text is fixed here and never made again:
 * the server knows a repeated batch by these very bytes.
 */
export function seal(state: LocalState): LocalState {
  const { outbox, open } = state
  if (outbox.sealed !== null || open.length === 0) return state
  const count = fitting(open)
  const mutations = fold(open.slice(0, count))
  const number = outbox.number + 1
  const sealed = toSealed(outbox.client, number, mutations)
  return { ...state, outbox: changed(outbox, { number, sealed }), open: open.slice(count) }
}

/** Takes the server's outcomes for a batch. One that another tab has settled meanwhile changes nothing. */
export function settle(state: LocalState, sealed: Sealed, outcomes: readonly Outcome[]): LocalState {
  if (state.outbox.sealed?.text !== sealed.text) return state
  const settled: Record<string, Outcome> = {}
  sealed.mutations.forEach((mutation, index) => {
    settled[mutation.id] = outcomes[index] ?? { code: 'denied' }
  })
  const open = state.open.map((entry) => ({ ...entry, mutation: onNewBase(entry.mutation, sealed, settled) }))
  return { ...state, outbox: changed(state.outbox, { sealed: null, settled }), open }
}

/**
 * Another batch with this number was already applied under our client id (a profile was copied, or a power
 * cut took back a number): the same mutations go out under a new client id.
 */
export function fork(state: LocalState, sealed: Sealed): LocalState {
  if (state.outbox.sealed?.text !== sealed.text) return state
  const client = randomToken()
  return {
    ...state,
    outbox: changed(state.outbox, { client, number: 1, sealed: toSealed(client, 1, sealed.mutations) }),
  }
}

export function changed(outbox: OutboxDocument, change: Partial<OutboxDocument>): OutboxDocument {
  return { ...outbox, ...change, version: outbox.version + 1 }
}

function toSealed(client: string, number: number, mutations: readonly Mutation[]): Sealed {
  return { number, text: JSON.stringify({ client, number, mutations }), mutations }
}

/** How many open mutations fit into one batch; always at least one. */
function fitting(open: readonly OpenMutation[]): number {
  let bytes = 0
  let count = 0
  for (const { mutation } of open) {
    // Three bytes is the most that UTF-8 needs for one UTF-16 unit.
    bytes += JSON.stringify(mutation).length * 3
    if (count > 0 && (bytes > limits.batchBytes || count >= limits.batchMutations)) break
    count++
  }
  return count
}

/** Several tabs may have written one key: only what still matters is sent. */
function fold(open: readonly OpenMutation[]): readonly Mutation[] {
  return open
    .map((entry) => entry.mutation)
    .filter((mutation, index, all) => !all.slice(index + 1).some((later) => isReplacedBy(mutation, later)))
}

/**
 * A write that was made on our own earlier write, which is now acknowledged: its base is what the server
 * made of that one. Without this a second quick `update` would conflict with the first.
 */
function onNewBase(mutation: Mutation, sealed: Sealed, settled: Readonly<Record<string, Outcome>>): Mutation {
  if (mutation.kind === 'increment' || mutation.base === undefined) return mutation
  const ours = sealed.mutations.findLast((earlier) => earlier.key === mutation.key)
  const outcome = ours === undefined ? undefined : settled[ours.id]
  if (ours?.kind !== 'set' || outcome?.code !== 'ok') return mutation
  const base: Base = { ...mutation.base, revision: outcome.revision, value: ours.value }
  return { ...mutation, base }
}
