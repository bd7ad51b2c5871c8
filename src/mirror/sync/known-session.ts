// What attaching and refreshing need to know of the session. A page's mirror knows it among much else; the
// worker keeps nothing but this.
import type { MirrorDocument } from '../steps/local-state.ts'
import type { TabMirror } from '../tabs/tab-mirror.ts'

export interface KnownSession {
  readonly document: MirrorDocument
  /** Reads storage again: another tab, or the worker, may know better. Never rejects. */
  reload(): Promise<unknown>
  /** Changes the stored document, and tells the tabs. Never rejects. */
  change(step: (document: MirrorDocument) => MirrorDocument): Promise<unknown>
}

export function knownBy(mirror: TabMirror): KnownSession {
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
