// When to look: a page comes up, comes back, gets a network, is hidden. Owns the timers and listeners of a
// session, so that closing it leaves nothing behind.
import { type Sync, sendOnly } from '../mirror/sync/sync.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { type Glances, watchGlances } from './glances.ts'

export interface PageLifecycle {
  /**
   * Begins to look, with `sync`. `onRestored` is called when the page comes out of the back-forward cache: what it last heard of
   * the server is old then.
   */
  listen(sync: Sync, onRestored: () => void): void
  /** There is something to send: soon, so that quick writes share a batch. */
  soon(): void
  /** The last pass failed: again after so many milliseconds, or at the first sign of life. */
  later(milliseconds: number): void
  /** A pass went through: nothing is left to be tried again. */
  recovered(): void
  close(): void
}

/** Long enough for a burst of writes to share one batch, short enough to feel like at once. */
const batchingMilliseconds = 20
/** `now` is the wall clock: the other clock stands still while the machine sleeps. */
export function createPageLifecycle(mirror: TabMirror, now: () => number): PageLifecycle {
  const listening = new AbortController()
  let sending: ReturnType<typeof setTimeout> | undefined
  let retrying: ReturnType<typeof setTimeout> | undefined
  let glances: Glances | undefined
  let sync: Sync | undefined
  let isClosed = false

  /** One question for all tabs: who has waited for its turn meanwhile has the answer of the first one. */
  function look(): void {
    clearTimeout(retrying)
    if (isClosed) return
    glances?.looked()
    const askedAt = now()
    void sync?.run(() => {
      const { notedAt } = mirror.document
      return notedAt > askedAt && notedAt <= now() ? 'nothing' : 'pull'
    })
  }

  return {
    listen(through, onRestored) {
      sync = through
      if (typeof document === 'undefined') return
      const { signal } = listening
      addEventListener('online', look, { signal })
      glances = watchGlances(now, { onShown: look, onHidden: () => void sync?.run(sendOnly) })
      // Until now the server has renewed nothing for this page, and stored nothing.
      document.addEventListener('prerenderingchange', look, { signal })
      const onPageShow = ({ persisted }: PageTransitionEvent): void => {
        // From the back-forward cache: what is on screen may be another user's by now. Storage first, then the server.
        if (!persisted) return
        onRestored()
        void mirror.reload().then(look)
      }
      addEventListener('pageshow', onPageShow, { signal })
    },
    soon() {
      if (isClosed) return
      sending ??= setTimeout(() => {
        sending = undefined
        void sync?.run(sendOnly, 'write')
      }, batchingMilliseconds)
    },
    later(milliseconds) {
      clearTimeout(retrying)
      if (!isClosed) retrying = setTimeout(look, milliseconds)
    },
    recovered: () => clearTimeout(retrying),
    close() {
      isClosed = true
      sync?.close()
      listening.abort()
      clearTimeout(sending)
      clearTimeout(retrying)
      glances?.close()
    },
  }
}
