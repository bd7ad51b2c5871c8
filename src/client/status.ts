// What a session can say of itself, as one union, computed from the stored state and the last contact with the server.
import type { Ending, LocalState, MirrorDocument } from '../mirror/steps/local-state.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

/** How the session stands. */
export type Status =
  /** Storage has not answered yet; `ready` has not resolved. */
  | { readonly state: 'starting' }
  /** In step with the server; also for a visitor who never signed in. */
  | { readonly state: 'live' }
  /** What is shown may be old, and writes wait: not asked yet, no network, server or store down, refused. */
  | { readonly state: 'stale'; readonly reason: 'unchecked' | 'offline' | 'unavailable' | 'refused' }
  | Ending

/** Follows the mirror and the contact with the server. */
export class StatusTracker {
  /** Resolves when the start is over and the server has said who is here, or could not be reached. */
  readonly known: Promise<void>
  #resolveKnown = (): void => undefined
  status: Status = { state: 'starting' }
  /** How the last contact with the server went. */
  contact: Contact = 'none'
  /** Whether the start is over. */
  isReady = false
  readonly #mirror: TabMirror
  readonly #onStatus: (status: Status) => void

  /** `onStatus` is called whenever the status is another one than before. */
  constructor(mirror: TabMirror, onStatus: (status: Status) => void) {
    this.#mirror = mirror
    this.#onStatus = onStatus
    this.known = new Promise((resolve) => (this.#resolveKnown = resolve))
  }

  /** Nobody will be asked any more: whoever waits for what is known need not. */
  close(): void {
    this.#resolveKnown()
  }

  /** The start is over: from now on the status says what storage holds. */
  begin(): void {
    this.isReady = true
    this.note(this.contact)
  }

  /** The server was asked, and this is how it went. */
  note(contact: Contact): void {
    this.contact = contact
    // Whoever waits goes on in a later task: by then the status is the new one.
    if (this.isReady && contact !== 'none') this.#resolveKnown()
    const next = statusOf(this.#mirror.document, this.isReady, contact)
    if (isSameStatus(next, this.status)) return
    this.status = next
    this.#onStatus(next)
  }

  /** The mirror has changed. */
  follow({ mirror: after }: LocalState, { mirror: before }: LocalState): void {
    // Another tab's contact with the server brought this one up to date, too.
    this.note(this.isReady && after.notedAt > before.notedAt ? 'live' : this.contact)
  }
}

function statusOf({ ending, epoch }: MirrorDocument, isReady: boolean, contact: Contact): Status {
  if (!isReady) return { state: 'starting' }
  if (ending !== null && epoch === null) return ending
  if (contact === 'live') return { state: 'live' }
  return { state: 'stale', reason: contact === 'none' ? 'unchecked' : contact }
}

function isSameStatus(a: Status, b: Status): boolean {
  if (a.state === 'stale' || a.state === 'signed-out') return b.state === a.state && b.reason === a.reason
  return a.state === b.state
}
