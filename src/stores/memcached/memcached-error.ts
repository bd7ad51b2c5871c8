// Why an operation has no answer. It is the `cause` of `unavailable`, for logs and for a pool that must tell a
// node that is away from a value that it cannot keep.

/**
 * - `cut`, `timeout`, `protocol`: the connection failed under the operation; it may have been carried out.
 * - `resting`: the node failed a moment ago and is left alone. `overload`, `closed`: never sent either; nor `held`, by
 *   a node of a pool that lacks tombstones.
 * - `login`, `full`: the server refused the connection; nothing was sent.
 * - `out-of-memory`, `too-large`, `server-error`: the server refused this operation; the connection is good.
 *   What was there still is, but for a `set`: that removes what it could not overwrite.
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

export class MemcachedError extends Error {
  override readonly name = 'MemcachedError'
  readonly code: MemcachedFailureCode

  constructor(code: MemcachedFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

const refusals: ReadonlySet<MemcachedFailureCode> = new Set(['out-of-memory', 'too-large', 'server-error'])

/** Whether the server is there and answered, but could not do it. */
export function isRefusal(cause: unknown): boolean {
  return cause instanceof MemcachedError && refusals.has(cause.code)
}

/** Of bytes that are no answer to the question; the connection is of no use after it. */
export function unexpected(line: string): MemcachedError {
  return new MemcachedError('protocol', `Memcached said ${JSON.stringify(line.slice(0, 80))}.`)
}
