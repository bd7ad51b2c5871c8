// JSON values: the only values a session holds. Owns the check that a value survives the trip to the server and back
// unchanged, and the parsers for text. Never throws anything but SessionError.
import { SessionError } from './errors.ts'
import * as limits from './limits.ts'

/** What a session can hold. Values are frozen, so all of it is read-only. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/**
 * A frozen deep copy of `value`, checked to be JSON.
 * Members that are `undefined` are left out, as `JSON.stringify` does.
 * @throws SessionError `not-json` for functions, symbols, bigint, NaN, Infinity, instances of classes
 * (a Date too), members named `__proto__`, cycles, and anything nested deeper than `limits.valueDepthLevels`.
 * @example toJson({ size: 'm', count: 2 })
 */
export function toJson(value: unknown): Json {
  return copy(value, limits.bodyDepthLevels - limits.valueDepthLevels)
}

/**
 * The value of JSON text from outside. The depth is counted before parsing, so nested brackets cost one pass.
 * @throws SessionError `malformed` when it is not JSON, is nested too deep, or has a member `__proto__`.
 */
export function parseJson(text: string): Json {
  if (isDeeperThan(text, limits.bodyDepthLevels)) {
    throw new SessionError('malformed', `The JSON is nested deeper than ${limits.bodyDepthLevels} levels.`)
  }
  try {
    return copy(JSON.parse(text), 0)
  } catch (cause) {
    throw new SessionError('malformed', 'The body is not JSON that a session can hold.', { cause })
  }
}

/**
 * The value of text that this browser kept itself; undefined when it is no JSON, because another program may have written
 * there. Not for text from the network: neither depth nor members are checked.
 */
export function parseOwnJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether `value` has members by name: not null, and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function copy(value: unknown, depth: number): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value !== 'object') throw notJson(`a ${typeof value} (${String(value)})`)
  if (depth >= limits.bodyDepthLevels)
    throw notJson(`a value nested deeper than ${limits.valueDepthLevels} levels, or a cycle`)
  // Not `map`, which would leave the holes of a sparse array as they are.
  if (Array.isArray(value)) return Object.freeze(Array.from(value, (item) => copy(item, depth + 1)))
  return copyObject(value, depth)
}

function copyObject(value: object, depth: number): Json {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Objects of another realm (an iframe, a worker) have another Object.prototype, whose own prototype is null.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null
  if (!isPlain) throw notJson(`an instance of ${value.constructor?.name || 'a class'}`)
  const result: Record<string, Json> = {}
  for (const [name, member] of Object.entries(value)) {
    // Assigning `__proto__` would set the prototype of the copy: CVE-2023-26136 and its kin.
    if (name === '__proto__') throw notJson('a member named __proto__')
    if (member !== undefined) result[name] = copy(member, depth + 1)
  }
  return Object.freeze(result)
}

function notJson(what: string): SessionError {
  return new SessionError('not-json', `A session holds JSON values only; this one contains ${what}.`)
}

function isDeeperThan(text: string, allowed: number): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index)
    if (inString) {
      if (character === 0x5c) index++
      else if (character === 0x22) inString = false
    } else if (character === 0x22) inString = true
    else if (character === 0x5b || character === 0x7b) {
      if (++depth > allowed) return true
    } else if (character === 0x5d || character === 0x7d) depth--
  }
  return false
}
