// The one check of an options object: its names, and the kind of each value. Every door of the server and the stores
// asks it first. Do NOT import it in code for the browser: the page should not download these sentences.
import { SessionError } from './errors.ts'

/** What the value of one option may be. */
export interface OptionCheck {
  /** Ends the sentence "… must be". */
  readonly wanted: string
  /** Whether a sentence must not show the value. */
  readonly isSecret: boolean
  /** Whether the value is of that kind. Ranges and patterns are for whoever uses the value. */
  accepts(value: unknown): boolean
}

/** What a door takes. */
export interface KnownOptions {
  /** The check of each option. */
  readonly checks: Readonly<Record<string, OptionCheck>>
  /** Names that must be given. @default none */
  readonly needed?: readonly string[]
  /** Names from other libraries, or from other places here, and what to write instead. @default none */
  readonly hints?: Readonly<Record<string, string>>
}

/** A check for each option of `Options`: one that is forgotten does not compile. */
export type ChecksOf<Options> = { readonly [Name in keyof Required<Options>]: OptionCheck }

/** Any value. Whoever uses it checks it. */
export const anything: OptionCheck = kind('anything', () => true)
/** A text. */
export const text: OptionCheck = kind('a text', (value) => typeof value === 'string')
/** A text that no sentence shows. */
export const secretText: OptionCheck = { ...text, isSecret: true }
/** `true` or `false`. */
export const flag: OptionCheck = kind('true or false', (value) => typeof value === 'boolean')
/** A number, NaN apart. */
export const number: OptionCheck = kind(
  'a number',
  (value) => typeof value === 'number' && !Number.isNaN(value),
)
/** A function. */
export const callback: OptionCheck = kind('a function', (value) => typeof value === 'function')
/** An object that is no list. */
export const object: OptionCheck = kind('an object', isOptionsObject)
/** A list of texts. */
export const texts: OptionCheck = kind('a list of texts', isTexts)
/** A list of any values, none of which a sentence shows. */
export const secretList: OptionCheck = { ...kind('a list', Array.isArray), isSecret: true }

/**
 * One of these values.
 * @example oneOf('refuse', 'anonymous')
 */
export function oneOf(...values: readonly unknown[]): OptionCheck {
  const wanted = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)))
  const last = wanted.pop() ?? ''
  const list = wanted.length === 0 ? last : `${wanted.join(', ')} or ${last}`
  return kind(list, (value) => values.includes(value))
}

/** A value that one of the checks accepts. */
export function either(...checks: readonly OptionCheck[]): OptionCheck {
  const wanted = checks.map((check) => check.wanted).join(', or ')
  return kind(wanted, (value) => checks.some((check) => check.accepts(value)))
}

/**
 * Refuses an options object that a door cannot mean: no object, an unknown name, a needed one that is missing, a value
 * of another kind. An option that is undefined counts as not given.
 * @param door the function or the option that was given them, as the app writes it
 * @throws SessionError `invalid-option` with the names, the nearest right one, and the value where it is no secret
 * @example checkOptions('memoryStore', options, { checks: { maxSessions: number, clock: callback } })
 */
export function checkOptions(door: string, given: unknown, known: KnownOptions): void {
  if (!isOptionsObject(given)) throw invalid(notAnObject(door, given, known))
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(known.checks, name)) throw invalid(unknownName(door, name, known))
  }
  const missing = known.needed?.find((name) => Reflect.get(given, name) === undefined)
  if (missing !== undefined) {
    throw invalid(`${door} needs the option "${missing}": ${known.checks[missing]?.wanted ?? 'a value'}.`)
  }
  for (const [name, check] of Object.entries(known.checks)) {
    const value: unknown = Reflect.get(given, name)
    if (value === undefined || check.accepts(value)) continue
    throw invalid(`${door}: ${name} must be ${check.wanted}, not ${described(value, check)}.`)
  }
}

/** The name of `names` that `name` is most likely a mistake for: at most a third of its letters are other ones. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = plain(name)
  const [nearest] = names
    .map((other) => ({ other, distance: editDistance(wanted, plain(other)) }))
    .filter(
      ({ other, distance }) => distance <= Math.max(1, Math.floor(Math.max(wanted.length, other.length) / 3)),
    )
    .toSorted((a, b) => a.distance - b.distance)
  return nearest?.other ?? alike(wanted, names)
}

/** `value` in a sentence. Its content is shown only where it is short and simple. */
export function described(value: unknown, { isSecret }: { readonly isSecret: boolean }): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value))
    return isSecret || !isTexts(value) ? 'a list' : `the list ${shortened(JSON.stringify(value))}`
  if (typeof value === 'object') return value instanceof Promise ? 'a promise: await it first' : 'an object'
  if (isSecret) return `a ${typeof value === 'string' ? 'text' : typeof value}`
  return typeof value === 'string' ? `the text ${shortened(JSON.stringify(value))}` : shortened(String(value))
}

function kind(wanted: string, accepts: (value: unknown) => boolean): OptionCheck {
  return { wanted, accepts, isSecret: false }
}

function isOptionsObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Promise)
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function notAnObject(door: string, given: unknown, { checks }: KnownOptions): string {
  if (typeof given === 'function')
    return `${door} takes no callback: nothing would call it. Give an object of options.`
  const names = Object.keys(checks).join(', ')
  // Never its content: it may be a secret that was given in the place of the options.
  return `${door} takes an object of options (${names}), not ${described(given, { isSecret: true })}.`
}

function unknownName(door: string, name: string, { checks, hints = {} }: KnownOptions): string {
  const start = `${door} has no option "${shortened(name)}"`
  const hint = Object.entries(hints).find(([known]) => plain(known) === plain(name))
  if (hint !== undefined) return `${start}: ${hint[1]}.`
  const names = Object.keys(checks)
  const nearest = nearestName(name, names)
  if (nearest !== undefined) return `${start}: did you mean "${nearest}"?`
  return names.length === 0 ? `${start}, and no other.` : `${start}. It has ${names.join(', ')}.`
}

/** A name that begins, or ends, as `wanted` does: `timeoutMilliseconds` for `timeout` and for `timeoutMs`. */
function alike(wanted: string, names: readonly string[]): string | undefined {
  if (wanted.length < 4) return undefined
  return names.find((name) => {
    const other = plain(name)
    const sameStart = [...wanted].findIndex((letter, index) => letter !== other[index])
    const isBegun = sameStart === -1 || sameStart >= Math.max(4, wanted.length * 0.6)
    return isBegun || other.endsWith(wanted) || (other.length > 3 && wanted.startsWith(other))
  })
}

/** Capitals, spaces, dashes and underscores are how a name is written, not what it says. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '')
}

const maxShownCharacters = 80

function shortened(shown: string): string {
  return shown.length <= maxShownCharacters ? shown : `${shown.slice(0, maxShownCharacters)}…`
}

/** How many letters must be put in, taken out or changed (Levenshtein), or change places with the next one. */
function editDistance(from: string, to: string): number {
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1]
      const changed = (row[j - 1] ?? 0) + (isSame ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : changed
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, changed, swapped))
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}

function invalid(sentence: string): SessionError {
  return new SessionError('invalid-option', sentence)
}
