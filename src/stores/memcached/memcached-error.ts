// Why an operation has no answer: the `cause` of `unavailable`. It is for logs, and for a pool, which must tell a
// server that is away from a value that a server cannot keep.

/**
 * - `cut`, `timeout`, `protocol`: the connection failed under the operation, which may have been carried out.
 * - `resting`: the server failed a moment ago and is left alone; nothing was sent.
 * - `held`: the server of a pool is back and lacks tombstones; nothing was sent.
 * - `overload`: too much waits for the server already; nothing was sent. `closed`: the store was closed.
 * - `login`, `full`: the server refused the connection; nothing was sent.
 * - `out-of-memory`, `too-large`, `server-error`: the server refused this operation, and the connection is good. What
 *   was stored still is, but for a `set`: that removes what it could not overwrite.
 */
export type MemcachedFailureCode =
  | 'cut'
  | 'timeout'
  | 'protocol'
  | 'resting'
  | 'held'
  | 'overload'
  | 'closed'
  | 'login'
  | 'full'
  | 'out-of-memory'
  | 'too-large'
  | 'server-error'

/** The `cause` of every `unavailable` of the Memcached store. */
export class MemcachedError extends Error {
  override readonly name = 'MemcachedError'
  readonly code: MemcachedFailureCode

  constructor(code: MemcachedFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

const refusals: ReadonlySet<MemcachedFailureCode> = new Set(['out-of-memory', 'too-large', 'server-error'])

/** Whether the server is there and answered, but could not carry the operation out. */
export function isRefusal(cause: unknown): boolean {
  return cause instanceof MemcachedError && refusals.has(cause.code)
}

/** For a line that is no answer to the question; the connection is of no use after it. */
export function unexpected(line: string): MemcachedError {
  return new MemcachedError('protocol', `Memcached said what answers no question: ${quote(line)}.`)
}

/** For an answer to another question, or to none. */
export function misplaced(): MemcachedError {
  return new MemcachedError('protocol', 'Memcached sent an answer that was not asked for.')
}

/** The beginning of what a server said, as it may stand in a message. */
export function quote(line: string): string {
  return JSON.stringify(line.slice(0, 80))
}
