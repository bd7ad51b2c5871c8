// Making the server's errors: those whose sentence is that of the table, so that what a code means is written down in one
// place, and those of options.
import { errorTable } from '../../protocol/error-table.ts'
import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '../../protocol/errors.ts'

/**
 * A SessionError with the sentence that `errorTable` has for its code. Where the value at fault can be named, make a
 * SessionError with a sentence of its own instead.
 * @example throw refusal('lost')
 */
export function refusal(code: SessionErrorCode, options: SessionErrorOptions = {}): SessionError {
  return new SessionError(code, errorTable[code].title, options)
}

/** The SessionError `invalid-option`. The sentence names the option, what it takes, and what was given. */
export function invalidOption(sentence: string): SessionError {
  return new SessionError('invalid-option', sentence)
}
