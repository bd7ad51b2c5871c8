// One error class and one list of codes for browser, wire and server. A code is a fact that never changes its meaning;
// `error-table.ts` has the status of each, what it means and what to do.

/** What can go wrong. `errorTable` of the server's door describes each code. */
export type SessionErrorCode =
  // Answered by the session routes; the browser meets them too.
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
  | 'anonymous-full'
  | 'sign-in-too-old'
  | 'streams-full'
  | 'speculative'
  | 'unsupported'
  | 'unreadable-body'
  | 'proxy-untrusted'
  | 'session-taken'
  // Thrown to the app's own code.
  | 'not-json'
  | 'unknown-key'
  | 'denied'
  | 'invalid'
  | 'outbox-full'
  | 'pending-writes'
  | 'answer-begun'
  | 'weak-secret'
  | 'invalid-option'

/** What an error may carry beside its code and its message. */
export interface SessionErrorOptions {
  /** The error that caused this one. @default none */
  readonly cause?: unknown
  /** Whole seconds after which another try makes sense; becomes `Retry-After`. @default none */
  readonly retryAfterSeconds?: number
}

/**
 * The error of every door. Match by `code`, which is stable; `message` is for people, and may change.
 * @example if (error instanceof SessionError && error.code === 'store-unavailable') retryLater()
 */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  /** What happened, as a name that never changes its meaning. */
  readonly code: SessionErrorCode
  /** Whole seconds after which another try makes sense; undefined when nobody said so. */
  readonly retryAfterSeconds: number | undefined

  /** `message` says what happened, what it means and what to do, with the value at fault where that is no secret. */
  constructor(code: SessionErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
