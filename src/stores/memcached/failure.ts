// Why an operation has no answer. It is the `cause` of `unavailable`, for logs and for a pool that must tell a
// node that is away from a value that it cannot keep.

/**
 * - `cut`, `timeout`, `protocol`: the connection failed under the operation; it may have been carried out.
 * - `resting`: the node failed a moment ago and is left alone. `overload`, `closed`: never sent either.
 * - `login`, `full`: the server refused the connection; nothing was sent.
 * - `out-of-memory`, `too-large`, `server-error`: the server refused this operation; the connection is good.
 *   Memcached may have removed the value that was to be replaced (see `createNode`).
 */
export type FailureCode =
  | 'cut'
  | 'timeout'
  | 'protocol'
  | 'resting'
  | 'overload'
  | 'closed'
  | 'login'
  | 'full'
  | 'out-of-memory'
  | 'too-large'
  | 'server-error'

export class MemcachedError extends Error {
  override readonly name = 'MemcachedError'
  readonly code: FailureCode

  constructor(code: FailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** Of bytes that are no answer to the question; the connection is of no use after it. */
export function surprise(line: string): MemcachedError {
  return new MemcachedError('protocol', `Memcached said ${JSON.stringify(line.slice(0, 80))}.`)
}
