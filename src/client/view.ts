// Synchronous reads: each key's value with the pending writes on top, frozen, and the same object until it
// really changes. Tells subscribers which keys changed, after all of them have.
import { type Json, toJson } from '../protocol/json.ts'
import { type Mutation, valueWithPending } from '../protocol/mutation.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { type Entry, entryOf } from '../protocol/state.ts'
import { type LocalState, pendingOf } from '../mirror/local.ts'
import { type Listener, callSafely } from './events.ts'

export interface View {
  get(key: string): Json | undefined
  /** Brings the view up to `state` and tells whoever listens. */
  update(state: LocalState): void
  subscribeKey(key: string, listener: Listener<Json | undefined>): () => void
  subscribeAll(listener: Listener<readonly string[]>): () => void
}

interface Shown {
  readonly epoch: unknown
  readonly entry: Entry | undefined
  readonly pending: readonly Mutation[]
  readonly value: Json | undefined
}

const none: readonly Mutation[] = []

export function createView(schema: SessionSchema, initial: LocalState): View {
  const keys = Object.keys(schema.keys).filter((key) => schema.keys[key]?.access !== 'hidden')
  const shown = new Map<string, Shown>()
  const keyListeners = new Map<string, Set<Listener<Json | undefined>>>()
  const allListeners = new Set<Listener<readonly string[]>>()

  /** Returns the keys whose value is another one than before. */
  function refresh(state: LocalState): string[] {
    const pending = byKey(pendingOf(state))
    return keys.filter((key) => {
      const before = shown.get(key)
      const after = show(schema, state, { key, pending: pending.get(key) ?? none, before })
      shown.set(key, after)
      return before === undefined || before.value !== after.value
    })
  }

  refresh(initial)
  return {
    get: (key) => shown.get(key)?.value,
    update(state) {
      const changed = refresh(state)
      if (changed.length === 0) return
      for (const key of changed) {
        for (const listener of keyListeners.get(key) ?? []) callSafely(listener, shown.get(key)?.value)
      }
      for (const listener of allListeners) callSafely(listener, changed)
    },
    subscribeKey(key, listener) {
      const set = keyListeners.get(key) ?? new Set()
      keyListeners.set(key, set.add(listener))
      return () => void set.delete(listener)
    },
    subscribeAll(listener) {
      allListeners.add(listener)
      return () => void allListeners.delete(listener)
    },
  }
}

function byKey(mutations: readonly Mutation[]): Map<string, readonly Mutation[]> {
  const result = new Map<string, Mutation[]>()
  for (const mutation of mutations) {
    const known = result.get(mutation.key)
    if (known === undefined) result.set(mutation.key, [mutation])
    else known.push(mutation)
  }
  return result
}

function show(
  schema: SessionSchema,
  { mirror: { mirror } }: LocalState,
  { key, pending, before }: { key: string; pending: readonly Mutation[]; before: Shown | undefined },
): Shown {
  const entry = entryOf(mirror.keys, key)
  const { epoch } = mirror
  if (before?.epoch === epoch && before.entry === entry && isSameList(before.pending, pending)) return before
  const value = valueWithPending(schema, mirror, { key, pending })
  // The server's echo of our own write is an equal value: keeping the object keeps React and friends quiet.
  const isEqual = before !== undefined && JSON.stringify(before.value) === JSON.stringify(value)
  return {
    epoch,
    entry,
    pending,
    value: isEqual ? before.value : value === undefined ? undefined : toJson(value),
  }
}

function isSameList(a: readonly Mutation[], b: readonly Mutation[]): boolean {
  return a.length === b.length && a.every((mutation, index) => mutation === b[index])
}
