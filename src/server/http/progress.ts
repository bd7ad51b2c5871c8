// What adapters need to know of a loaded session while they hold its answer.
import type { Header } from './respond.ts'

export interface SessionProgress {
  /** False while `finish` has something to store, or to decide, before the answer may go. */
  readonly isSettled: boolean
  /** Whether there are changes that were not stored, and are to be stored for the app. */
  readonly isDirty: boolean
  /** The app's own `save` failed: the changes are not to be tried again behind its back. */
  readonly hasFailed: boolean
  /** Whether the answer depends on the session: a cookie came, or the app looked. */
  readonly isRead: boolean
  readonly isTouched: boolean
  /** Storing the changes would give the session a cookie that the browser does not have. */
  readonly needsCookie: boolean
  /** For `Vary`, when the answer depends on the session. */
  readonly vary: string
  /** Stores what is to be stored before the answer may go. @throws SessionError as `save` does */
  finish(): Promise<void>
  /** Set-Cookie, Session-Revision and Session-Fresh-In. */
  headers(): Header[]
}
