// One error class and one list of codes for browser, wire and server. A code is a fact that never changes its
// meaning; `error-table.ts` has the status and the sentence of each.

export type SessionErrorCode =
  | 'malformed'
  | 'ambiguous-cookie'
  | 'stale'
  | 'expired'
  | 'ended'
  | 'reuse'
  | 'cross-site'
  | 'not-found'
  | 'method-not-allowed'
  | 'lost'
  | 'epoch-mismatch'
  | 'batch-fork'
  | 'too-large'
  | 'unsupported-type'
  | 'store-unavailable'
  | 'contention'
  | 'clients-full'
  | 'streams-full'
  | 'not-json'
  | 'unknown-key'
  | 'denied'
  | 'invalid'
  | 'outbox-full'
  | 'pending-writes'
  | 'unsupported'
  | 'weak-secret'
  | 'invalid-option'

export interface SessionErrorOptions {
  readonly cause?: unknown
  /** Whole seconds after which another try makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number
}

/**
 * The error of every door. `code` is stable; `message` is for people.
 * @example if (error instanceof SessionError && error.code === 'store-unavailable') retryLater()
 */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  readonly code: SessionErrorCode
  readonly retryAfterSeconds: number | undefined

  constructor(code: SessionErrorCode, message: string = code, options: SessionErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
