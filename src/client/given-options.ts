// The check of what an app gives to the browser's SDK: a name that nobody reads, and a value of another kind, are mistakes.
// Short sentences, because every page downloads them; the server's doors have longer ones.
import { SessionError } from '../protocol/errors.ts'

/** For each option what it may be: kinds as `typeof` names them, or texts themselves, separated by spaces. */
export type KindsOf<Options> = { readonly [Name in keyof Required<Options>]: string }

/**
 * `listener` itself, where it can be called.
 * @throws SessionError `invalid-option`
 */
export function checkListener<T extends object>(listener: T | undefined): T {
  if (typeof listener !== 'function') throw wrongKind('A listener', 'function', listener)
  return listener
}

/**
 * An option that is undefined counts as not given.
 * @throws SessionError `invalid-option` for an unknown name, and for a value of another kind
 */
export function checkGiven(door: string, given: object, kinds: Readonly<Record<string, string>>): void {
  if (Object(given) !== given) throw wrongKind(door, 'an object of options', given)
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (!Object.hasOwn(kinds, name)) throw unknownName(`${door} has no option`, name, kinds)
    const wanted = (kinds[name] ?? '').split(' ')
    // NaN and null are of no use to any option.
    const kind = value === null || Number.isNaN(value) ? '' : typeof value
    if (value !== undefined && !wanted.includes(kind) && !wanted.includes(String(value)))
      throw wrongKind(`${door}: ${name}`, wanted.join(' or '), value)
  }
}

/** The error of a name that is none of `known`. */
export function unknownName(what: string, name: string, known: object): SessionError {
  return new SessionError('invalid-option', `${what} "${name}". There are: ${Object.keys(known).join(', ')}.`)
}

function wrongKind(what: string, wanted: string, value: unknown): SessionError {
  const shown = Object(value) === value ? typeof value : String(value)
  return new SessionError('invalid-option', `${what} must be ${wanted}, not ${shown}.`)
}
