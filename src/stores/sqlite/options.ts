// What the options of the SQLite store may be.
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SessionError } from '../../protocol/errors.ts'

/**
 * The absolute path.
 * @throws SessionError `invalid-option` for what is no path, a missing directory, or anything there but a file
 */
export function checkPath(path: string): string {
  if (path === '' || path.includes('\0') || path.startsWith(':memory:') || path.startsWith('file:')) {
    throw invalid(`path takes the path of a file, not ${JSON.stringify(path)}.`)
  }
  // Absolute: the process may change its directory later, and no URI can come of it.
  const whole = resolve(path)
  if (statSync(dirname(whole), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw invalid(`The directory ${dirname(whole)} does not exist. Make it first.`)
  }
  if (statSync(whole, { throwIfNoEntry: false })?.isFile() === false) {
    throw invalid(`${whole} is there and is not a file.`)
  }
  return whole
}

/** @throws SessionError `invalid-option` */
export function checkNumber(
  name: string,
  value: number,
  range: { readonly from: number; readonly to: number },
): void {
  if (Number.isSafeInteger(value) && value >= range.from && value <= range.to) return
  throw invalid(`${name} must be a whole number from ${range.from} to ${range.to}.`)
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
