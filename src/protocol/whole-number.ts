// The one check for whole numbers: those that come from outside, and those of options.
import { SessionError } from './errors.ts'

/** Whether `value` is a whole number of 0 or more. */
export function isCount(value: unknown): value is number {
  return isInteger(value) && value >= 0
}

/** Whether `value` is a whole number, also below 0. Beyond 2^53 - 1 numbers are not exact, and none counts as whole. */
export function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

/** What an option may be. */
export interface WholeNumberRange {
  /** The smallest number that is allowed. @default 0 */
  readonly from?: number
  /** The largest number that is allowed. @default 2^53 - 1 */
  readonly to?: number
}

/**
 * Whether `value` is a whole number in the range.
 * @example isWholeNumber(3, { from: 1, to: 5 }) // true
 */
export function isWholeNumber(
  value: unknown,
  { from = 0, to = Number.MAX_SAFE_INTEGER }: WholeNumberRange = {},
): value is number {
  return isInteger(value) && value >= from && value <= to
}

/**
 * Refuses an option that is not a whole number in the range.
 * @throws SessionError `invalid-option` with the option's name, the range and the value
 * @example checkWholeNumber('warnSeconds', 1.5, { from: 1, to: 60 }) // throws
 */
export function checkWholeNumber(name: string, value: unknown, range: WholeNumberRange = {}): void {
  if (isWholeNumber(value, range)) return
  const { from = 0, to } = range
  const wanted = to === undefined ? `of ${from} or more` : `from ${from} to ${to}`
  throw new SessionError('invalid-option', `${name} must be a whole number ${wanted}, not ${String(value)}.`)
}
