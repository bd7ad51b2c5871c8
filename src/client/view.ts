// Synchronous reads: each key's value with the pending writes on top, frozen, and the same object until it
// really changes. Tells subscribers which keys changed, after all of them have.
import { type Json, toJson } from '../protocol/json.ts'
import { type Mutation, valueWithPending } from '../protocol/mutation.ts'
import { type SessionSchema, checkValue, definitionOf } from '../protocol/schema.ts'
import { type Entry, entryOf } from '../protocol/state.ts'
import { type LocalState, pendingOf } from '../mirror/steps/local-state.ts'
import type { AppCalls } from '../mirror/tabs/app-calls.ts'
import { type Listener, createEmitter } from './events.ts'

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

export interface ViewOptions {
  /** When subscribers are called. */
  readonly calls: AppCalls
  readonly schema: SessionSchema
  readonly migrate?: ((key: never, value: Json) => Json | undefined) | undefined
}

export function createView({ schema, migrate, calls }: ViewOptions, initial: LocalState): View {
  const read = createReading(schema, migrate)
  const keys = Object.keys(schema.keys).filter((key) => schema.keys[key]?.access !== 'hidden')
  const shown = new Map<string, Shown>()
  const byName = createEmitter<Record<string, Json | undefined>>(calls)
  const all = createEmitter<{ readonly changed: readonly string[] }>(calls)

  /** Returns the keys whose value is another one than before. */
  function refresh(state: LocalState): string[] {
    const pending = byKey(pendingOf(state))
    return keys.filter((key) => {
      const before = shown.get(key)
      const after = show({ schema, read }, state, { key, pending: pending.get(key) ?? none, before })
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
      for (const key of changed) byName.emit(key, shown.get(key)?.value)
      all.emit('changed', changed)
    },
    subscribeKey: byName.on,
    subscribeAll: (listener) => all.on('changed', listener),
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

type Reading = (key: string, entry: Entry | undefined) => Entry | undefined

/** Entries as this schema has them: one that its validator refuses was written under another one. */
function createReading(schema: SessionSchema, migrate: ViewOptions['migrate']): Reading {
  const known = new WeakMap<Entry, { readonly as: Entry | undefined }>()

  function isFine(key: string, value: Json): boolean {
    const definition = definitionOf(schema, key)
    if (definition === undefined || (definition.validator === undefined && definition.kind === 'value'))
      return true
    try {
      return checkValue(definition, value) !== undefined
    } catch {
      return false // What the validator says of it helps nobody: it was somebody else's.
    }
  }

  function migrated(key: string, [revision, value]: Entry): Entry | undefined {
    const next = migrate?.(key as never, value) // A key of the schema: only these are shown.
    return next !== undefined && isFine(key, next) ? [revision, next] : undefined
  }

  return (key, entry) => {
    if (entry === undefined) return undefined
    const before = known.get(entry)
    if (before !== undefined) return before.as
    const as = isFine(key, entry[1]) ? entry : migrated(key, entry)
    known.set(entry, { as })
    return as
  }
}

interface Showing {
  readonly schema: SessionSchema
  readonly read: Reading
}

function show(
  { schema, read }: Showing,
  { mirror }: LocalState,
  { key, pending, before }: { key: string; pending: readonly Mutation[]; before: Shown | undefined },
): Shown {
  const entry = read(key, entryOf(mirror.keys, key))
  const { epoch } = mirror
  if (before?.epoch === epoch && before.entry === entry && isSameList(before.pending, pending)) return before
  const keys = entry === undefined ? {} : { [key]: entry }
  const value = valueWithPending(schema, { ...mirror, keys }, { key, pending })
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
