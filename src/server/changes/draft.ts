// What one request wants of its session and has not stored yet: an end, a move, and changes of keys, which are kept as
// steps to be applied to the newest record and as values to read meanwhile. Knows the schema; knows no store.
import { SessionError } from '../../protocol/errors.ts'
import { type Json, toJson } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import { type KeyDefinition, type SessionSchema, checkValue, definitionOf } from '../../protocol/schema.ts'
import { type Entries, entryOf } from '../../protocol/state.ts'
import { byteLength } from '../codec/sealed-item.ts'
import { type EndScope, KeySteps, type Move, type Plan, type Step, runSteps } from './plan.ts'

const noSteps: readonly Step[] = []

export class Draft {
  readonly #schema: SessionSchema
  /** Made with the first change: most requests only read. */
  #steps: Map<string, readonly Step[]> | undefined = undefined
  #end: EndScope | undefined = undefined
  #move: Move | undefined = undefined

  constructor(schema: SessionSchema) {
    this.#schema = schema
  }

  get isEmpty(): boolean {
    return this.#end === undefined && this.#move === undefined && !this.hasChanges
  }

  /** Whether keys are to change. */
  get hasChanges(): boolean {
    return this.#steps !== undefined && this.#steps.size > 0
  }

  get move(): Move | undefined {
    return this.#move
  }

  get isEnding(): boolean {
    return this.#end !== undefined
  }

  /** A key's value with the changes on top, or its default. @throws SessionError `unknown-key` */
  read(entries: Entries, key: string): unknown {
    return withDefault(this.#define(key), this.#valueIn(entries, key))
  }

  /** @throws SessionError `unknown-key` */
  has(entries: Entries, key: string): boolean {
    this.#define(key)
    return this.#valueIn(entries, key) !== undefined
  }

  /** Names of the keys of the schema that have a value. */
  keys(entries: Entries): string[] {
    const names = new Set([...Object.keys(entries), ...(this.#steps?.keys() ?? [])])
    return [...names].filter(
      (name) => definitionOf(this.#schema, name) !== undefined && this.#valueIn(entries, name) !== undefined,
    )
  }

  /** @throws SessionError `unknown-key`, `not-json`, `invalid`, `too-large` */
  set(key: string, value: unknown): void {
    const checked = check(this.#define(key), value)
    this.#replaceSteps(key, [() => checked])
  }

  /** @throws SessionError `unknown-key` */
  delete(key: string): void {
    this.#define(key)
    this.#replaceSteps(key, [() => undefined])
  }

  /** @throws SessionError `unknown-key`, `not-json`, `invalid`, `too-large`, and what `change` throws */
  update(entries: Entries, key: string, change: (value: unknown) => unknown): void {
    const definition = this.#define(key)
    const step: Step = (value) => {
      const next = change(withDefault(definition, value))
      return next === undefined ? undefined : check(definition, next)
    }
    // Now already, so that a refused value is refused where it was made.
    step(this.#valueIn(entries, key))
    this.#addStep(key, step)
  }

  /** @throws SessionError `unknown-key`; `invalid` for a key that is no counter, or a number that it does not take */
  increment(key: string, by: number): void {
    const definition = this.#define(key)
    if (definition.kind !== 'counter')
      throw new SessionError('invalid', `The key "${key}" is not a counter, so it cannot be incremented.`)
    check(definition, by)
    this.#addStep(key, (value) => check(definition, (typeof value === 'number' ? value : 0) + by))
  }

  /** The session is to get another id. The last wish counts. */
  moveTo(move: Move): void {
    this.#move = move
  }

  /** The session is to end. All wishes before that are dropped: they were for the session that ends. */
  end(scope: EndScope): void {
    this.clear()
    this.#end = scope
  }

  /** Drops all wishes. */
  clear(): void {
    this.#steps?.clear()
    this.#move = undefined
    this.#end = undefined
  }

  /** The wishes as they are now. */
  plan(): Plan {
    return { end: this.#end, move: this.#move, changes: new KeySteps(new Map(this.#steps)) }
  }

  /** The end was carried out. */
  settleEnd(): void {
    this.#end = undefined
  }

  /** Move and changes were carried out: only what was added meanwhile stays. */
  settle({ move, changes }: Plan): void {
    if (this.#move === move) this.#move = undefined
    for (const [key, stored] of changes.byKey) this.#drop(key, stored)
  }

  #drop(key: string, stored: readonly Step[]): void {
    const present = this.#steps?.get(key) ?? noSteps
    const isLonger = present.length > stored.length && stored.every((step, index) => present[index] === step)
    if (isLonger) this.#steps?.set(key, present.slice(stored.length))
    else if (present === stored) this.#steps?.delete(key)
  }

  #replaceSteps(key: string, steps: readonly Step[]): void {
    this.#steps ??= new Map()
    this.#steps.set(key, steps)
  }

  #addStep(key: string, step: Step): void {
    this.#replaceSteps(key, [...(this.#steps?.get(key) ?? noSteps), step])
  }

  #valueIn(entries: Entries, key: string): Json | undefined {
    return runSteps(this.#steps?.get(key) ?? noSteps, entryOf(entries, key)?.[1])
  }

  #define(key: string): KeyDefinition {
    const definition = definitionOf(this.#schema, key)
    if (definition === undefined) throw unknownKey(key)
    return definition
  }
}

/** The SessionError for a name that is no key of the schema. */
export function unknownKey(key: string): SessionError {
  return new SessionError('unknown-key', `The schema has no key "${key}". Add it with defineSession.`)
}

function withDefault(definition: KeyDefinition, value: Json | undefined): unknown {
  const read = value === undefined ? definition.default : value
  // Copied and frozen: a change of the object would otherwise look saved, and not be.
  return read === undefined || read === null || typeof read !== 'object' ? read : toJson(read)
}

function check(definition: KeyDefinition, value: unknown): Json {
  const checked = checkValue(definition, value)
  if (typeof checked !== 'object' && typeof checked !== 'string') return checked
  const text = JSON.stringify(checked)
  // Three bytes is the most that UTF-8 needs for one UTF-16 unit: most values need not be counted.
  if (text.length * 3 <= limits.recordBytes) return checked
  const bytes = byteLength(text)
  if (bytes <= limits.recordBytes) return checked
  throw new SessionError(
    'too-large',
    `A value has at most ${limits.recordBytes} bytes, as a whole session has; this one has ${bytes}.`,
  )
}
