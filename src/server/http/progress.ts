// What adapters need to know of a loaded session while they hold its answer: the seam between a session and whatever
// server it runs under.
import type { Header } from './core-answer.ts'

/** How far a loaded session is. Live: each member says how it is when it is read. */
export interface SessionProgress {
  /** False while `finish` has something to store, or to decide, before the answer may go. */
  readonly isSettled: boolean
  /** Whether there are changes that were not stored, and are to be stored for the app. */
  readonly isDirty: boolean
  /** Whether the app's own `save` failed: its changes are not to be tried again behind its back. */
  readonly hasFailed: boolean
  /** Whether the answer depends on the session: a cookie came, or the app looked. */
  readonly isRead: boolean
  /** Whether the app has looked at the session or changed it. */
  readonly isTouched: boolean
  /** Whether storing the changes would give the session a cookie that the browser does not have. */
  readonly needsCookie: boolean
  /** The names for `Vary` of an answer that depends on the session. */
  readonly vary: string
  /** Stores what is to be stored before the answer may go. @throws SessionError as `save` does */
  finish(): Promise<void>
  /** Drops what is not stored: the handler failed, or answers 5xx. */
  revert(): void
  /**
   * The head of the answer is on its way: from now on nothing is stored that would need a cookie, and `save` says so.
   */
  beginAnswer(): void
  /** Set-Cookie, Session-Revision and Session-Fresh-In, as they are to be set now. */
  headers(): Header[]
}
