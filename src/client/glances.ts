// When somebody looks at the page: it comes to the front, or gets the focus. Owns how often that is a reason to ask the server.

export interface Glances {
  /** Something has just asked the server. */
  looked(): void
  close(): void
}

/** A page that is looked at asks the server at most this often. */
const pauseMilliseconds = 3000
/** Between the two events of a page that is brought to the front. */
const sameSignMilliseconds = 100

/**
 * Calls `onShown` when somebody looks, after a pause where that was often: none is forgotten. `onHidden` when the page is hidden.
 * `now` is the wall clock: the other clock stands still while the machine sleeps.
 */
export function watchGlances(
  now: () => number,
  { onShown, onHidden }: { onShown(): void; onHidden(): void },
): Glances {
  const listening = new AbortController()
  const { signal } = listening
  let lookedAt = now()
  let shownAt = Number.NEGATIVE_INFINITY
  /** A look that was asked for too early. */
  let trailing: ReturnType<typeof setTimeout> | undefined

  function glance(): void {
    if (document.visibilityState === 'hidden') return onHidden()
    const left = lookedAt + pauseMilliseconds - now()
    if (left <= 0 || left > pauseMilliseconds) return onShown()
    trailing ??= setTimeout(() => {
      trailing = undefined
      glance()
    }, left)
  }

  document.addEventListener(
    'visibilitychange',
    () => {
      shownAt = now()
      glance()
    },
    { signal },
  )
  // It comes with the page's becoming visible: one sign, not two.
  addEventListener('focus', () => Math.abs(now() - shownAt) > sameSignMilliseconds && glance(), { signal })

  return {
    looked() {
      lookedAt = now()
      clearTimeout(trailing)
      trailing = undefined
    },
    close() {
      listening.abort()
      clearTimeout(trailing)
    },
  }
}
