// What one request wants of its session, as values: an end, a move to another id, and changes of keys.
import type { Json } from '../../protocol/json.ts'
import { entryOf } from '../../protocol/state.ts'
import type { SessionRecord } from '../codec/record.ts'
import type { Numbering } from '../core/core.ts'
import { type SignIn, withKeys } from './change.ts'

/** What ends: the session of this request, or all sessions of its owner. */
export type EndScope = 'here' | 'everywhere'

/** A new id and a new epoch: with somebody signed in, or with everything else as it was. */
export type Move = { readonly kind: 'sign-in'; readonly signIn: SignIn } | { readonly kind: 'regenerate' }

/** What is to be done when the session is saved, in this order. */
export interface Plan {
  readonly end: EndScope | undefined
  readonly move: Move | undefined
  readonly changes: KeySteps
}

/** From a key's value to its next. Undefined is "not there", on both sides. */
export type Step = (value: Json | undefined) => Json | undefined

/** Changes of keys, as steps that are applied to the newest record. */
export class KeySteps {
  readonly byKey: ReadonlyMap<string, readonly Step[]>

  constructor(byKey: ReadonlyMap<string, readonly Step[]>) {
    this.byKey = byKey
  }

  get isEmpty(): boolean {
    return this.byKey.size === 0
  }

  /** The record after them, and `record` itself when nothing changes. Throws what the app's own steps throw. */
  apply(record: SessionRecord, numbering: Numbering): SessionRecord {
    const changes = new Map<string, Json | undefined>()
    for (const [key, steps] of this.byKey) changes.set(key, runSteps(steps, entryOf(record.keys, key)?.[1]))
    return withKeys(record, changes, numbering)
  }

  /** Names of the keys that they have changed between two records. */
  changedBetween(before: SessionRecord, after: SessionRecord): readonly string[] {
    return [...this.byKey.keys()].filter((name) => entryOf(before.keys, name) !== entryOf(after.keys, name))
  }
}

/** The value after all steps. Throws what a step throws. */
export function runSteps(steps: readonly Step[], value: Json | undefined): Json | undefined {
  let result = value
  for (const step of steps) result = step(result)
  return result
}
