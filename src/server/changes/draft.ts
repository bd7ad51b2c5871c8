// The changes that one request wants: kept as steps to be applied to the newest record, and as values to read
// meanwhile. Knows the schema; knows no store.
import { SessionError } from '../../protocol/errors.ts'
import { type Json, toJson } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import { type KeyDefinition, type SessionSchema, checkValue, definitionOf } from '../../protocol/schema.ts'
import { type Entries, entryOf } from '../../protocol/state.ts'
import { withKeys } from './change.ts'
import type { Numbering } from '../core/core.ts'
import type { SessionRecord } from '../codec/record.ts'
import { byteLength } from '../codec/seal.ts'

/** From a key's value to its next; undefined is "not there", on both sides. */
type Step = (value: Json | undefined) => Json | undefined

export interface Taken {
  /** Of the keys that are to change. */
  readonly names: readonly string[]
  apply(record: SessionRecord, numbering: Numbering): SessionRecord
  /** They are stored: only what was added meanwhile stays. */
  done(): void
}

export interface Draft {
  readonly isEmpty: boolean
  /** A key's value with the changes on top, or its default. */
  read(entries: Entries, key: string): unknown
  has(entries: Entries, key: string): boolean
  keys(entries: Entries): string[]
  set(key: string, value: unknown): void
  delete(key: string): void
  update(entries: Entries, key: string, change: (value: unknown) => unknown): void
  increment(key: string, by: number): void
  /** The changes as they are now. */
  take(): Taken
  clear(): void
}

export function createDraft(schema: SessionSchema): Draft {
  const steps = new Map<string, Step[]>()

  function add(key: string, step: Step): void {
    steps.set(key, [...(steps.get(key) ?? []), step])
  }

  function valueIn(entries: Entries, key: string): Json | undefined {
    return run(steps.get(key) ?? [], entryOf(entries, key)?.[1])
  }

  function define(key: string): KeyDefinition {
    const definition = definitionOf(schema, key)
    if (definition === undefined) throw new SessionError('unknown-key', `The schema has no key "${key}".`)
    return definition
  }

  return {
    get isEmpty() {
      return steps.size === 0
    },
    read: (entries, key) => withDefault(define(key), valueIn(entries, key)),
    has: (entries, key) => define(key) !== undefined && valueIn(entries, key) !== undefined,
    keys(entries) {
      const names = new Set([...Object.keys(entries), ...steps.keys()])
      return [...names].filter((name) => definitionOf(schema, name) && valueIn(entries, name) !== undefined)
    },
    set(key, value) {
      const checked = check(define(key), value)
      steps.set(key, [() => checked])
    },
    delete(key) {
      define(key)
      steps.set(key, [() => undefined])
    },
    update(entries, key, change) {
      const definition = define(key)
      const step: Step = (value) => {
        const next = change(withDefault(definition, value))
        return next === undefined ? undefined : check(definition, next)
      }
      // Now already, so that a refused value is refused where it was made.
      step(valueIn(entries, key))
      add(key, step)
    },
    increment(key, by) {
      const definition = define(key)
      if (definition.kind !== 'counter') throw new SessionError('invalid', `"${key}" is not a counter.`)
      check(definition, by)
      add(key, (value) => check(definition, (typeof value === 'number' ? value : 0) + by))
    },
    take() {
      const taken = [...steps]
      return {
        names: taken.map(([key]) => key),
        apply: (record, numbering) =>
          withKeys(
            record,
            new Map(taken.map(([key, list]) => [key, run(list, entryOf(record.keys, key)?.[1])])),
            numbering,
          ),
        done() {
          for (const [key, list] of taken) drop(steps, key, list)
        },
      }
    },
    clear: () => steps.clear(),
  }
}

function withDefault(definition: KeyDefinition, value: Json | undefined): unknown {
  const read = value === undefined ? definition.default : value
  // Copied and frozen: a change of the object would otherwise look saved, and not be.
  return read === undefined || read === null || typeof read !== 'object' ? read : toJson(read)
}

function run(steps: readonly Step[], value: Json | undefined): Json | undefined {
  let result = value
  for (const step of steps) result = step(result)
  return result
}

function drop(steps: Map<string, Step[]>, key: string, stored: readonly Step[]): void {
  const list = steps.get(key) ?? []
  const isLonger = list.length > stored.length && stored.every((step, index) => list[index] === step)
  if (isLonger) steps.set(key, list.slice(stored.length))
  else if (list === stored) steps.delete(key)
}

function check(definition: KeyDefinition, value: unknown): Json {
  const checked = checkValue(definition, value)
  if (typeof checked !== 'object' && typeof checked !== 'string') return checked
  const text = JSON.stringify(checked)
  if (text.length * 3 > limits.recordBytes && byteLength(text) > limits.recordBytes) {
    throw new SessionError(
      'too-large',
      `A value has at most ${limits.recordBytes} bytes, as a whole session has.`,
    )
  }
  return checked
}
