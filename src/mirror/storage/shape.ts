// Checks for plain data that comes from outside, built from small ones. Pure. A shape names every member of its type: one
// that is forgotten does not compile.
import { isObject } from '../../protocol/json.ts'

/** Whether a value is of type `T`. */
export type Check<T> = (value: unknown) => value is T

/** An object whose members pass their checks; what else it has is not looked at. */
export function shape<T extends object>(members: { readonly [N in keyof T]-?: Check<T[N]> }): Check<T> {
  const checks: readonly [string, Check<unknown>][] = Object.entries(members)
  return (value): value is T => isObject(value) && checks.every(([name, check]) => check(value[name]))
}

export function nullOr<T>(check: Check<T>): Check<T | null> {
  return (value): value is T | null => value === null || check(value)
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value): value is T | undefined => value === undefined || check(value)
}

export function listOf<T>(check: Check<T>): Check<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(check)
}

/** An object with any names, whose values pass the check. */
export function recordOf<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value): value is Readonly<Record<string, T>> => isObject(value) && Object.values(value).every(check)
}

export function oneOfWords<const T extends string>(...words: readonly T[]): Check<T> {
  return (value): value is T => words.some((word) => word === value)
}

export function isString(value: unknown): value is string {
  return typeof value === 'string'
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

export function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}
