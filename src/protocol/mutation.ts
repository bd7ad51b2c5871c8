// One intended change of one key, and what becomes of it. `decideMutation` is the one place that knows the policies: the
// server decides with it, and the browser shows with it what the server will decide.
import { SessionError } from './errors.ts'
import type { Json } from './json.ts'
import { type KeyDefinition, type SessionSchema, checkValue, definitionOf } from './schema.ts'
import { type Epoch, type MirrorState, entryOf } from './state.ts'

/** What the writer saw. The server compares it under `if-unchanged` and `merge`, and for `update`. */
export interface Base {
  /** The life of the session that the writer saw; null when there was none. */
  readonly epoch: Epoch | null
  /** Of the key, not of the session; 0 for a key that nobody ever wrote. */
  readonly revision: number
  /** The value that the writer saw; not there when the key was not set. */
  readonly value?: Json
}

/** What every mutation says. */
export interface MutationOf<Kind extends string> {
  /** Random text, made in the browser before anything is sent. The mutation keeps it wherever it goes. */
  readonly id: string
  /** What is to be done: `set`, `remove` or `increment`. */
  readonly kind: Kind
  /** The name of the key. */
  readonly key: string
}
/** Gives the key a value. */
export interface SetMutation extends MutationOf<'set'> {
  /** The new value. */
  readonly value: Json
  /** What the writer saw. Absent under `last-write-wins`, except for `update`. */
  readonly base?: Base
}
/** Takes the key away. */
export interface RemoveMutation extends MutationOf<'remove'> {
  /** What the writer saw. Absent under `last-write-wins`, except for `update`. */
  readonly base?: Base
}
/** Adds `by` to a counter. */
export interface IncrementMutation extends MutationOf<'increment'> {
  /** What is added; negative to subtract. */
  readonly by: number
}
/** One intended change of one key. */
export type Mutation = SetMutation | RemoveMutation | IncrementMutation

/** The server's word on one mutation. `revision` is that of the key after it. */
export type Outcome =
  /** It was applied. */
  | { readonly code: 'ok'; readonly revision: number }
  /** Somebody else changed the key first, and the policy lets that stand. `value` is the server's. */
  | { readonly code: 'conflict'; readonly revision: number; readonly value?: Json }
  /** The schema does not let the browser do this. */
  | { readonly code: 'denied' }
  /** The validator refused the value; `message` is its own. */
  | { readonly code: 'invalid'; readonly message: string }
  /** The session would become larger than its limit. */
  | { readonly code: 'too-large' }

/** What a mutation is applied to: `revision` counts removals too, and is 0 for a key never written. */
export interface Current {
  readonly epoch: Epoch | null
  readonly revision: number
  readonly value: Json | undefined
}

/** What is to be done about a mutation. */
export type Decision =
  | { readonly code: 'set'; readonly value: Json }
  | { readonly code: 'remove' }
  | { readonly code: 'conflict' }
  | { readonly code: 'denied' }
  | { readonly code: 'invalid'; readonly message: string }

/**
 * What becomes of a browser's mutation of a key. Changes nothing.
 * @example decideMutation(definition, { epoch, revision: 4, value: 1 }, { id, kind: 'increment', key, by: 2 }) // set 3
 */
export function decideMutation(
  definition: KeyDefinition | undefined,
  current: Current,
  mutation: Mutation,
): Decision {
  if (definition?.access !== 'writable') return { code: 'denied' }
  if ((mutation.kind === 'increment') !== (definition.kind === 'counter') && mutation.kind !== 'remove') {
    return { code: 'denied' }
  }
  if (mutation.kind !== 'increment' && mutation.base !== undefined && isOtherThan(mutation.base, current)) {
    if (typeof definition.policy === 'string' || mutation.kind === 'remove') return { code: 'conflict' }
  }
  if (mutation.kind === 'remove') return { code: 'remove' }
  try {
    return { code: 'set', value: checkValue(definition, intended(definition, current, mutation)) }
  } catch (error) {
    return { code: 'invalid', message: error instanceof SessionError ? error.message : 'The merge failed.' }
  }
}

/** The value that a browser shows: the mirror's, with the pending mutations of this key on top. */
export function valueWithPending(
  schema: SessionSchema,
  mirror: MirrorState,
  { key, pending }: { readonly key: string; readonly pending: readonly Mutation[] },
): Json | undefined {
  const definition = definitionOf(schema, key)
  const entry = entryOf(mirror.keys, key)
  let value = entry?.[1]
  for (const mutation of pending) {
    if (mutation.key !== key || definition === undefined) continue
    const decision = decideMutation(
      definition,
      { epoch: mirror.epoch, revision: entry?.[0] ?? 0, value },
      mutation,
    )
    if (decision.code === 'set') value = decision.value
    else if (decision.code === 'remove') value = undefined
  }
  return value === undefined ? definition?.default : value
}

/** Whether a write was made on another value than the current one. */
export function isOtherThan(base: Base, current: Omit<Current, 'value'>): boolean {
  // Nobody ever wrote the key: the same in every epoch, also in the one that this batch begins.
  if (base.revision === 0 && current.revision === 0) return false
  return base.revision !== current.revision || base.epoch !== current.epoch
}

function intended(
  definition: KeyDefinition,
  current: Current,
  mutation: Exclude<Mutation, RemoveMutation>,
): unknown {
  if (mutation.kind === 'increment') {
    return (typeof current.value === 'number' ? current.value : 0) + mutation.by
  }
  const { base, value } = mutation
  if (typeof definition.policy === 'string' || base === undefined || !isOtherThan(base, current)) return value
  return definition.policy.merge(base.value, value, current.value)
}
