// When to look: a page comes up, comes back, gets a network, is hidden. Owns the timers and listeners of a
// session, so that closing it leaves nothing behind.
import { type Sync, askForNews, sendOnly } from '../mirror/sync/sync.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

export interface Lifecycle {
  /** There is something to send: soon, so that quick writes share a batch. */
  soon(): void
  /** The last pass failed: again after so many milliseconds, or at the first sign of life. */
  later(milliseconds: number): void
  /** A pass went through: nothing is left to be tried again. */
  recovered(): void
  close(): void
}

/** Long enough for a burst of writes to share one batch, short enough to feel like at once. */
const batching = 20
/** A page that gains focus asks the server at most this often. */
const rest = 3000

export function createLifecycle({
  mirror,
  sync,
  now,
  onRestored,
}: {
  readonly mirror: TabMirror
  readonly sync: Sync
  /** The wall clock: the other one stands still while the machine sleeps. */
  readonly now: () => number
  /** The page was in the back-forward cache: what it last heard of the server is old. */
  readonly onRestored: () => void
}): Lifecycle {
  const listening = new AbortController()
  let sending: ReturnType<typeof setTimeout> | undefined
  let retrying: ReturnType<typeof setTimeout> | undefined
  let lookedAt = now()

  function look(): void {
    clearTimeout(retrying)
    lookedAt = now()
    void sync.run(askForNews)
  }

  function glance(): void {
    if (document.visibilityState === 'visible' && Math.abs(now() - lookedAt) > rest) look()
    if (document.visibilityState === 'hidden') void sync.run(sendOnly)
  }

  function onPageShow(event: PageTransitionEvent): void {
    // From the back-forward cache: what is on screen may be another user's by now. Storage first, then the server.
    if (!event.persisted) return
    onRestored()
    void mirror.reload().then(look)
  }

  if (typeof document !== 'undefined') {
    const { signal } = listening
    addEventListener('online', look, { signal })
    addEventListener('focus', glance, { signal })
    addEventListener('pageshow', onPageShow, { signal })
    document.addEventListener('visibilitychange', glance, { signal })
  }

  return {
    soon() {
      sending ??= setTimeout(() => {
        sending = undefined
        void sync.run(sendOnly)
      }, batching)
    },
    later(milliseconds) {
      clearTimeout(retrying)
      retrying = setTimeout(look, milliseconds)
    },
    recovered: () => clearTimeout(retrying),
    close() {
      listening.abort()
      clearTimeout(sending)
      clearTimeout(retrying)
    },
  }
}
