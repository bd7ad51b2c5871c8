// The schema of a session: written once, used by browser and server. Owns what a key is, who may do what
// with it, and how a value is checked. Holds no state.
import { SessionError } from './errors.ts'
import { type Json, isObject, toJson } from './json.ts'
import * as limits from './limits.ts'

/** `hidden` never leaves the server; `readable` is mirrored; `writable` is mirrored and the browser may write. */
export type Access = 'hidden' | 'readable' | 'writable'

/** `(base, mine, theirs)` → the value to keep. Must be pure: it runs in the browser and on the server. */
export type Merge<Value> = (base: Value | undefined, mine: Value, theirs: Value | undefined) => Value

/** How a conflict ends when two sides changed one key. */
export type Policy<Value> = 'last-write-wins' | 'if-unchanged' | { readonly merge: Merge<Value> }

/** The part of Standard Schema v1 that is used here (standardschema.dev): zod, valibot and arktype have it. */
export interface Validator<Value = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validated<Value> | Promise<Validated<Value>>
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined
  }
}
type Validated<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

/** One key: `Absent` is `never` where a default fills the gap, else `undefined`. */
export interface KeyDefinition<
  Value = unknown,
  A extends Access = Access,
  Absent extends undefined = undefined,
  Kind extends 'value' | 'counter' = 'value' | 'counter',
> {
  readonly access: A
  readonly kind: Kind
  readonly policy: Policy<unknown>
  readonly validator: Validator | undefined
  readonly default: Json | undefined
  /** Never there at run time: carries the types. */
  readonly types?: { readonly value: Value; readonly absent: Absent }
}

interface KeyOptions<Value> {
  readonly default?: Value
}
interface WritableOptions<Value> extends KeyOptions<Value> {
  /** @default 'last-write-wins' */
  readonly policy?: Policy<Value>
}

interface DefineKey<A extends 'hidden' | 'readable'> {
  <Value>(options: { readonly default: Value }): KeyDefinition<Value, A, never, 'value'>
  <Value>(
    validator: Validator<Value>,
    options: { readonly default: NoInfer<Value> },
  ): KeyDefinition<Value, A, never, 'value'>
  <Value>(validator: Validator<Value>): KeyDefinition<Value, A, undefined, 'value'>
  <Value>(): KeyDefinition<Value, A, undefined, 'value'>
}
interface DefineWritable {
  <Value>(options: {
    readonly default: Value
    readonly policy?: Policy<NoInfer<Value>>
  }): KeyDefinition<Value, 'writable', never, 'value'>
  <Value>(
    validator: Validator<Value>,
    options: { readonly default: NoInfer<Value>; readonly policy?: Policy<NoInfer<Value>> },
  ): KeyDefinition<Value, 'writable', never, 'value'>
  <Value>(
    validator: Validator<Value>,
    options?: { readonly policy?: Policy<NoInfer<Value>> },
  ): KeyDefinition<Value, 'writable', undefined, 'value'>
  <Value>(options?: { readonly policy?: Policy<Value> }): KeyDefinition<Value, 'writable', undefined, 'value'>
  /** A number that only grows or shrinks by steps; increments of all browsers add up. Starts at 0. */
  counter(): KeyDefinition<number, 'writable', never, 'counter'>
}

/** Stays on the server. The default: a bare validator in `defineSession` is hidden too. */
export const hidden: DefineKey<'hidden'> = defineKey('hidden') as DefineKey<'hidden'>

/** Mirrored to the browser, which cannot write it. */
export const readable: DefineKey<'readable'> = defineKey('readable') as DefineKey<'readable'>

/** Mirrored to the browser, which may write it, also offline. */
export const writable: DefineWritable = Object.assign(defineKey('writable'), {
  counter: () => ({
    access: 'writable',
    kind: 'counter',
    policy: 'last-write-wins',
    validator: undefined,
    default: 0,
  }),
}) as DefineWritable

type Keys = Readonly<Record<string, KeyDefinition<unknown, Access, undefined>>>

export interface SessionSchema<K extends Keys = Keys> {
  readonly keys: K
}

type Definitions<T> = {
  readonly [N in keyof T]: T[N] extends Validator<infer V>
    ? KeyDefinition<V, 'hidden', undefined, 'value'>
    : T[N]
}

/**
 * The keys of a session. Import the same schema in the browser and on the server.
 * @throws SessionError `invalid-option` for a name that is not `[A-Za-z][A-Za-z0-9_]*` (64 at most), for more
 * than 256 keys, and for a default that is not JSON or that its own validator refuses.
 * @example
 * const schema = defineSession({
 *   user: readable<{ name: string }>(),
 *   theme: writable<'light' | 'dark'>({ default: 'light' }),
 *   visits: writable.counter(),
 *   token: hidden<string>(),
 * })
 */
export function defineSession<const T extends Readonly<Record<string, Keys[string] | Validator>>>(
  keys: T,
): SessionSchema<Definitions<T> extends Keys ? Definitions<T> : never> {
  const definitions: Record<string, KeyDefinition> = Object.create(null)
  const names = Object.keys(keys)
  if (names.length > limits.sessionKeys)
    throw new SessionError('invalid-option', `A session has at most ${limits.sessionKeys} keys.`)
  for (const [name, key] of Object.entries(keys)) {
    if (!isKeyName(name))
      throw new SessionError(
        'invalid-option',
        `"${name}" cannot be the name of a key: use letters, digits and _, 64 at most.`,
      )
    definitions[name] = isValidator(key) ? define('hidden', key, {}) : key
    checkDefault(name, definitions[name])
  }
  // The loop above keeps names and definitions together; TypeScript cannot see that.
  return { keys: Object.freeze(definitions) } as unknown as SessionSchema<
    Definitions<T> extends Keys ? Definitions<T> : never
  >
}

/** Names are letters, digits and `_`; the three that reach a prototype are not names. */
export function isKeyName(name: string): boolean {
  return (
    name.length <= limits.keyNameCharacters &&
    /^[A-Za-z][A-Za-z0-9_]*$/.test(name) &&
    name !== 'constructor' &&
    name !== 'prototype'
  )
}

/** The definition of a key, or undefined. Safe for names from outside. */
export function definitionOf(schema: SessionSchema, name: string): KeyDefinition | undefined {
  return Object.hasOwn(schema.keys, name) ? schema.keys[name] : undefined
}

/**
 * `value` as the schema wants it: JSON, and what the validator made of it.
 * @throws SessionError `not-json`, or `invalid` with the validator's own message.
 */
export function checkValue(definition: KeyDefinition, value: unknown): Json {
  const json = toJson(value)
  if (definition.kind === 'counter' && !Number.isSafeInteger(json)) {
    throw new SessionError('invalid', 'A counter holds whole numbers.')
  }
  if (definition.validator === undefined) return json
  const result = definition.validator['~standard'].validate(json)
  if (result instanceof Promise) {
    throw new SessionError(
      'invalid-option',
      'A validator of a session key must answer at once, not with a promise.',
    )
  }
  if (result.issues === undefined) return toJson(result.value)
  throw new SessionError('invalid', result.issues.map((issue) => issue.message).join('; '))
}

// --- What the two sides may do, as types ---

type ValueOf<K> = K extends { readonly types?: { readonly value: infer V } } ? V : never
type ReadOf<K> = K extends { readonly types?: { readonly value: infer V; readonly absent: infer A } }
  ? V | A
  : never

/** All keys, as the server sees them. */
export type ServerKey<S extends SessionSchema> = keyof S['keys'] & string
/** The keys that the browser may read. */
export type BrowserKey<S extends SessionSchema> = {
  [N in ServerKey<S>]: S['keys'][N] extends { readonly access: 'hidden' } ? never : N
}[ServerKey<S>]
/** The keys that the browser may set or delete. */
export type WritableKey<S extends SessionSchema> = {
  [N in ServerKey<S>]: S['keys'][N] extends { readonly access: 'writable'; readonly kind: 'value' }
    ? N
    : never
}[ServerKey<S>]
/** The keys that can be incremented. */
export type CounterKey<S extends SessionSchema> = {
  [N in ServerKey<S>]: S['keys'][N] extends { readonly kind: 'counter' } ? N : never
}[ServerKey<S>]
/** The type of a key's value when it is there. */
export type KeyValue<S extends SessionSchema, N extends ServerKey<S>> = ValueOf<S['keys'][N]>
/** What `get` returns: the value, or undefined where the key has no default. */
export type KeyRead<S extends SessionSchema, N extends ServerKey<S>> = ReadOf<S['keys'][N]>

function defineKey(access: Access) {
  return (first?: unknown, second: unknown = {}): KeyDefinition => {
    if (isValidator(first)) return define(access, first, second as WritableOptions<unknown>)
    return define(access, undefined, (first ?? {}) as WritableOptions<unknown>)
  }
}

function define(
  access: Access,
  validator: Validator | undefined,
  options: WritableOptions<unknown>,
): KeyDefinition {
  return {
    access,
    kind: 'value',
    policy: options.policy ?? 'last-write-wins',
    validator,
    default: options.default === undefined ? undefined : toJson(options.default),
  }
}

function isValidator(value: unknown): value is Validator {
  return (isObject(value) || typeof value === 'function') && '~standard' in value
}

function checkDefault(name: string, definition: KeyDefinition): void {
  if (definition.default === undefined) return
  try {
    checkValue(definition, definition.default)
  } catch (cause) {
    throw new SessionError(
      'invalid-option',
      `The default of "${name}" is not what its own validator allows.`,
      { cause },
    )
  }
}
