// What attaching and refreshing need to know of the session. A page answers it from its mirror; the worker keeps
// nothing else.
import type { MirrorDocument } from '../steps/local-state.ts'
import type { SyncedMirror } from '../tabs/quiet-mirror.ts'

export interface KnownSession {
  /** The document as it was read last. */
  readonly document: MirrorDocument
  /** Reads storage again: another tab, or the worker, may know better. Never rejects. */
  reload(): Promise<unknown>
  /** Changes the stored document, and tells the tabs. Never rejects. */
  change(step: (document: MirrorDocument) => MirrorDocument): Promise<unknown>
}

/** The session that a page's mirror knows. */
export function knownBy(mirror: SyncedMirror): KnownSession {
  return {
    get document() {
      return mirror.document
    },
    reload: () => mirror.reload(),
    change: (step) =>
      mirror.transact((state) => {
        const document = step(state.mirror)
        return document === state.mirror ? state : { ...state, mirror: document }
      }),
  }
}
