// The schema of a session: written once, used by browser and server. Owns what a key is, who may do what with it, and how a
// value is checked. Holds no state.
import { SessionError } from './errors.ts'
import { type Json, isObject, toJson } from './json.ts'
import * as limits from './limits.ts'

/** What the browser may do with a key: nothing (`hidden`), read it (`readable`), or read and write it (`writable`). */
export type Access = 'hidden' | 'readable' | 'writable'

/**
 * The value to keep when two sides changed one key: `base` is what the writer saw, `mine` what it wrote, `theirs` what the
 * server has. Must be pure, because it runs in the browser and on the server.
 * @example const union: Merge<string[]> = (_base, mine, theirs = []) => [...new Set([...theirs, ...mine])]
 */
export type Merge<Value> = (base: Value | undefined, mine: Value, theirs: Value | undefined) => Value

/**
 * How a conflict ends when two sides changed one key: the later write stands (`last-write-wins`), the write of whoever had
 * not seen the newest value is refused (`if-unchanged`), or both are merged.
 */
export type Policy<Value> = 'last-write-wins' | 'if-unchanged' | { readonly merge: Merge<Value> }

/** The part of Standard Schema v1 that is used here (standardschema.dev): zod, valibot and arktype have it. */
export interface Validator<Value = unknown> {
  /**
   * The interface of Standard Schema. `validate` must answer at once; a promise is refused as `invalid-option`.
   */
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Validated<Value> | Promise<Validated<Value>>
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined
  }
}
/** A validator's answer. */
export type Validated<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

/** One key, as `hidden`, `readable` and `writable` make it. `Absent` is `never` for a key with a default, else `undefined`. */
export interface KeyDefinition<
  Value = unknown,
  A extends Access = Access,
  Absent extends undefined = undefined,
  Kind extends 'value' | 'counter' = 'value' | 'counter',
> {
  /** What the browser may do with the key. */
  readonly access: A
  /** A counter takes increments only. */
  readonly kind: Kind
  /** How a conflict ends. */
  readonly policy: Policy<unknown>
  /** Checks every value; undefined when any JSON is allowed. */
  readonly validator: Validator | undefined
  /** What `get` returns for a key that is not set. */
  readonly default: Json | undefined
  /** Not there at run time: carries the types. */
  readonly types?: { readonly value: Value; readonly absent: Absent }
}

interface KeyOptions {
  readonly default?: unknown
  readonly policy?: Policy<unknown>
}

/** Makes a key that the browser does not write: from a default, a validator, both, or a type alone. */
export interface DefineKey<A extends 'hidden' | 'readable'> {
  <Value>(options: { readonly default: Value }): KeyDefinition<Value, A, never, 'value'>
  <Value>(
    validator: Validator<Value>,
    options: { readonly default: NoInfer<Value> },
  ): KeyDefinition<Value, A, never, 'value'>
  <Value>(validator: Validator<Value>): KeyDefinition<Value, A, undefined, 'value'>
  <Value>(): KeyDefinition<Value, A, undefined, 'value'>
}
/** Makes a key that the browser writes: as `DefineKey`, with a policy for conflicts, `last-write-wins` by default. */
export interface DefineWritable {
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

/**
 * A key that stays on the server. A bare validator in `defineSession` makes one, too.
 * @throws SessionError `not-json` for a default that is none
 * @example defineSession({ token: hidden<string>() })
 */
export const hidden: DefineKey<'hidden'> = /* @__PURE__ */ defineKey('hidden') as DefineKey<'hidden'> // The overloads say what one function does.

/**
 * A key that is mirrored to the browser, which cannot write it.
 * @throws SessionError `not-json` for a default that is none
 * @example defineSession({ user: readable<{ name: string }>() })
 */
export const readable: DefineKey<'readable'> = /* @__PURE__ */ defineKey('readable') as DefineKey<'readable'> // As above.

/**
 * A key that is mirrored to the browser, which may write it, also offline.
 * @throws SessionError `not-json` for a default that is none
 * @example defineSession({ theme: writable<'light' | 'dark'>({ default: 'light' }), visits: writable.counter() })
 */
export const writable: DefineWritable = /* @__PURE__ */ Object.assign(/* @__PURE__ */ defineKey('writable'), {
  counter: (given: object = {}) => ({
    ...define('writable', undefined, checked(given, [])),
    kind: 'counter',
    default: 0,
  }),
}) as DefineWritable // As above.

/** Keys by name. */
export type SchemaKeys = Readonly<Record<string, KeyDefinition<unknown, Access, undefined>>>

/** The schema of a session, as `defineSession` makes it. */
export interface SessionSchema<K extends SchemaKeys = SchemaKeys> {
  /** The definition of each key. It has no prototype: read it with `definitionOf`. */
  readonly keys: K
}

/** The definitions of what was given to `defineSession`: a bare validator is a hidden key. */
export type KeyDefinitions<T> = {
  readonly [N in keyof T]: T[N] extends Validator<infer V>
    ? KeyDefinition<V, 'hidden', undefined, 'value'>
    : T[N]
}

/**
 * The keys of a session. Import the same schema in the browser and on the server.
 * @throws SessionError `invalid-option` for a name that is not `[A-Za-z][A-Za-z0-9_]*` of at most 64 characters, for more
 * than 256 keys, and for a default that the key's own validator refuses
 * @example
 * const schema = defineSession({
 *   user: readable<{ name: string }>(),
 *   theme: writable<'light' | 'dark'>({ default: 'light' }),
 *   visits: writable.counter(),
 *   token: hidden<string>(),
 * })
 */
export function defineSession<const T extends Readonly<Record<string, SchemaKeys[string] | Validator>>>(
  keys: T,
): SessionSchema<KeyDefinitions<T> extends SchemaKeys ? KeyDefinitions<T> : never> {
  if (!isObject(keys)) throw new SessionError('invalid-option', 'defineSession takes an object of keys.')
  const definitions: Record<string, KeyDefinition> = Object.create(null)
  const names = Object.keys(keys)
  if (names.length > limits.sessionKeys)
    throw new SessionError(
      'invalid-option',
      `A session has at most ${limits.sessionKeys} keys, and this schema has ${names.length}.`,
    )
  for (const [name, key] of Object.entries(keys)) {
    if (!isKeyName(name))
      throw new SessionError(
        'invalid-option',
        `"${name}" cannot be the name of a key: use letters, digits and _, at most ${limits.keyNameCharacters} of them, and begin with a letter.`,
      )
    const definition = isValidator(key) ? define('hidden', key, {}) : key
    if (typeof definition?.access !== 'string')
      throw new SessionError(
        'invalid-option',
        `"${name}" is no key: call \`hidden\`, \`readable\` or \`writable\`, or give a validator.`,
      )
    definitions[name] = definition
    checkDefault(name, definition)
  }
  // The loop above keeps names and definitions together; TypeScript cannot see that.
  return { keys: Object.freeze(definitions) } as unknown as SessionSchema<
    KeyDefinitions<T> extends SchemaKeys ? KeyDefinitions<T> : never
  >
}

/** Whether `name` can name a key: letters, digits and `_`, and none that reaches a prototype. */
export function isKeyName(name: string): boolean {
  return (
    name.length <= limits.keyNameCharacters &&
    /^[A-Za-z][A-Za-z0-9_]*$/.test(name) &&
    name !== 'constructor' &&
    name !== 'prototype'
  )
}

/** The definition of a key; undefined for a name that the schema does not have. Safe for names from outside. */
export function definitionOf(schema: SessionSchema, name: string): KeyDefinition | undefined {
  return Object.hasOwn(schema.keys, name) ? schema.keys[name] : undefined
}

/**
 * `value` as the schema wants it: JSON, and what the validator made of it.
 * @throws SessionError `not-json`; `invalid` with the validator's own message; `invalid-option` for a validator that answers with
 * a promise
 */
export function checkValue(definition: KeyDefinition, value: unknown): Json {
  const json = toJson(value)
  if (definition.kind === 'counter' && !Number.isSafeInteger(json)) {
    throw new SessionError('invalid', `A counter holds whole numbers, not ${JSON.stringify(json)}.`)
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
export type KeyValue<S extends SessionSchema, N extends ServerKey<S>> = S['keys'][N] extends {
  readonly types?: { readonly value: infer V }
}
  ? V
  : never
/** What `get` returns: the value, or undefined where the key has no default. */
export type KeyRead<S extends SessionSchema, N extends ServerKey<S>> = S['keys'][N] extends {
  readonly types?: { readonly value: infer V; readonly absent: infer A }
}
  ? V | A
  : never

function defineKey(access: Access) {
  return (first?: unknown, second?: unknown): KeyDefinition => {
    const names = access === 'writable' ? ['default', 'policy'] : ['default']
    if (isValidator(first)) return define(access, first, checked(second, names))
    return define(access, undefined, checked(first, names))
  }
}

/**
 * The options of a key. The check is short, because every page downloads it.
 * @throws SessionError `invalid-option` for what is no object, an unknown name, and a policy that there is not
 */
function checked(given: unknown, names: readonly string[]): KeyOptions {
  if (given === undefined) return {}
  const unknown = isObject(given) ? Object.keys(given).find((name) => !names.includes(name)) : String(given)
  if (unknown !== undefined)
    throw new SessionError(
      'invalid-option',
      names.length === 0
        ? `A counter has no option "${unknown}": it begins at 0.`
        : `A key of a session has no option "${unknown}". A validator is the first argument; then there are ${names.map((name) => `"${name}"`).join(' and ')}.`,
    )
  const { policy } = given as KeyOptions // An object, and all names are ours.
  if (policy !== undefined && !isPolicy(policy))
    throw new SessionError(
      'invalid-option',
      `policy must be 'last-write-wins', 'if-unchanged' or { merge }, not ${isObject(policy) ? 'an object' : `the text "${String(policy)}"`}.`,
    )
  return given as KeyOptions // As above.
}

function isPolicy(policy: unknown): boolean {
  if (isObject(policy)) return typeof policy['merge'] === 'function'
  return policy === 'last-write-wins' || policy === 'if-unchanged'
}

function define(access: Access, validator: Validator | undefined, options: KeyOptions): KeyDefinition {
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
      `The default of "${name}" is not what its own validator allows: ${messageOf(cause)}`,
      { cause },
    )
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
