// The outbox as pure steps: add, sealBatch, settle, fork. Each takes the local state and returns the next one;
// storage runs them inside one transaction, so no two tabs ever seal the same mutation twice.
import type { Json } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import type { Mutation, Outcome } from '../../protocol/mutation.ts'
import { type Entries, entryOf } from '../../protocol/state.ts'
import {
  type LocalState,
  type OpenMutation,
  type OutboxDocument,
  type SealedBatch,
  belongs,
  nextVersion,
} from './local-state.ts'
import { randomToken } from './random-token.ts'

/** Outcomes that are remembered for tabs that slept while their writes were settled. */
const rememberedOutcomes = 400

/** Adds a write in the order of stamps, and drops the writes that it replaces. Adds nothing when a later write replaces it. */
export function withOpen(open: readonly OpenMutation[], added: OpenMutation): readonly OpenMutation[] {
  if (open.some((entry) => replaces(entry, added))) return open
  const others = open.filter((entry) => entry.stamp !== added.stamp && !replaces(added, entry))
  return [...others, added].toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1))
}

/**
 * Whether a later `set` or `remove` makes an earlier mutation of its key pointless. A write that was computed from
 * what its writer saw (it has a base) replaces only what that writer saw; it has to meet any other on the server. And
 * only writes of its own tab, which makes both again should the server refuse: nobody could make another tab's again.
 */
export function replaces(later: OpenMutation, earlier: OpenMutation): boolean {
  const { mutation } = later
  if (mutation.kind === 'increment' || mutation.key !== earlier.mutation.key) return false
  if (earlier.stamp >= later.stamp || earlier.owner !== later.owner) return false
  return (
    mutation.base === undefined || (later.saw.includes(earlier.mutation.id) && isOfOneTab(later, earlier))
  )
}

function isOfOneTab(a: OpenMutation, b: OpenMutation): boolean {
  return a.stamp.split('.')[1] === b.stamp.split('.')[1]
}

/** Without the writes that a later one replaces. Two tabs that write in the same moment both get to the disk. */
export function withoutReplaced(open: readonly OpenMutation[]): readonly OpenMutation[] {
  return open.filter((entry, index) => !open.slice(index + 1).some((later) => replaces(later, entry)))
}

/**
 * Seals the next batch unless one is already on its way. The text is fixed here and never made again:
 * the server knows a repeated batch by these very bytes. What is of somebody who left is given up.
 */
export function sealBatch(state: LocalState): LocalState {
  const open = state.open.filter((entry) => belongs(entry, state))
  const { outbox } = state
  if (outbox.sealed !== null || open.length === 0)
    return open.length === state.open.length ? state : { ...state, open }
  const taken = fitting(withoutReplaced(open))
  const number = outbox.number + 1
  const sealed = toSealed(
    outbox.client,
    number,
    taken.map((entry) => entry.mutation),
  )
  const left = open.filter(
    (entry) => !taken.includes(entry) && !taken.some((later) => replaces(later, entry)),
  )
  return { ...state, outbox: changed(outbox, { number, sealed }), open: left }
}

/**
 * Takes the server's outcomes for a batch, and what its keys hold now. A batch that another tab has settled
 * meanwhile changes nothing.
 */
export function settle(
  state: LocalState,
  sealed: SealedBatch,
  answer: { outcomes: readonly Outcome[]; keys: Entries },
): LocalState {
  if (state.outbox.sealed?.text !== sealed.text) return state
  const settled: Record<string, Outcome> = {}
  sealed.mutations.forEach((mutation, index) => {
    settled[mutation.id] = answer.outcomes[index] ?? { code: 'denied' }
  })
  const earlier = Object.entries(state.outbox.settled).slice(-rememberedOutcomes)
  const outbox = changed(state.outbox, {
    sealed: null,
    settled: { ...Object.fromEntries(earlier), ...settled },
  })
  return {
    ...state,
    outbox,
    open: state.open.map((entry) => onNewBase(entry, { sealed, settled, keys: answer.keys })),
  }
}

/**
 * Another batch with this number was already applied under our client id (a profile was copied, or a power
 * cut took back a number): the same mutations go out under a new client id.
 */
export function fork(state: LocalState, sealed: SealedBatch): LocalState {
  if (state.outbox.sealed?.text !== sealed.text) return state
  const client = randomToken()
  const change = { client, number: 1, sealed: toSealed(client, 1, sealed.mutations) }
  return { ...state, outbox: changed(state.outbox, change) }
}

/** The document with a change, and with the next version. */
export function changed(outbox: OutboxDocument, change: Partial<OutboxDocument>): OutboxDocument {
  return { ...outbox, ...change, version: nextVersion(outbox.version) }
}

function toSealed(client: string, number: number, mutations: readonly Mutation[]): SealedBatch {
  return { number, text: JSON.stringify({ client, number, mutations }), mutations }
}

/**
 * The entries of one batch, in order; always at least one. A write with a base that meets another one of its
 * key waits for the next batch: in this one the server could not see that they conflict.
 */
function fitting(open: readonly OpenMutation[]): readonly OpenMutation[] {
  const taken: OpenMutation[] = []
  const closed = new Set<string>()
  let bytes = 0
  for (const entry of open) {
    const { mutation } = entry
    const isTaken = taken.some((other) => other.mutation.key === mutation.key)
    if (isTaken && mutation.kind !== 'increment' && mutation.base !== undefined) closed.add(mutation.key)
    if (closed.has(mutation.key)) continue
    // Three bytes is the most that UTF-8 needs for one UTF-16 unit.
    bytes += JSON.stringify(mutation).length * 3
    if (taken.length > 0 && (bytes > limits.batchBytes || taken.length >= limits.batchMutations)) break
    taken.push(entry)
  }
  return taken
}

interface Settled {
  readonly sealed: SealedBatch
  readonly settled: Readonly<Record<string, Outcome>>
  readonly keys: Entries
}

/**
 * A write that was made on top of our own earlier one, which is now acknowledged: what its writer saw is that
 * one's value, and where the server keeps just that, also its revision. Without this a second quick `update`
 * would conflict with the first; where the server merged, the old revision makes it merge again.
 */
function onNewBase(entry: OpenMutation, { sealed, settled, keys }: Settled): OpenMutation {
  const { mutation, saw } = entry
  if (mutation.kind === 'increment' || mutation.base === undefined) return entry
  const ours = sealed.mutations.findLast(
    (earlier) => earlier.key === mutation.key && saw.includes(earlier.id),
  )
  const outcome = ours === undefined ? undefined : settled[ours.id]
  if (ours?.kind !== 'set' || outcome?.code !== 'ok') return entry
  const isKept = isSame(entryOf(keys, mutation.key)?.[1], ours.value)
  const base = { ...mutation.base, value: ours.value, ...(isKept ? { revision: outcome.revision } : {}) }
  return { ...entry, mutation: { ...mutation, base } }
}

function isSame(a: Json | undefined, b: Json): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
