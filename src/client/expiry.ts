// The end of the session as people meet it: how long it has, a warning before it, and staying by being active. The times
// are the server's, in seconds from its answer; what passed since then is estimated so that neither sleep nor a clock
// that is set can make it too short for long: what the estimate says is asked, not believed.
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

export interface ExpiryOptions {
  readonly mirror: TabMirror
  /** Wall clock, milliseconds. */
  readonly now: () => number
  readonly warnSeconds: number
  /** Whether what a person does in the page keeps the session. */
  readonly keepAlive: 'activity' | 'requests'
  readonly onExpiring: (secondsLeft: number) => void
  /** Refreshes the session now. */
  readonly extend: () => Promise<unknown>
  /** Asks the server whether it is over. */
  readonly ask: () => Promise<unknown>
}

export interface Expiry {
  /** Milliseconds that are left by the estimate; null without a session. */
  left(): number | null
  close(): void
}

/** A timer of more than 24.8 days fires at once; and one that was set before a sleep is late by as much. */
const longestTimer = 60_000
/** Of the time that the session had after the last answer: activity extends it when so much is over. */
const activityShare = 0.25

export function createExpiry(options: ExpiryOptions): Expiry {
  const { mirror, now, warnSeconds, keepAlive, onExpiring, extend, ask } = options
  const listening = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Of the newest answer that this tab knows: what was left then, and when that was by both clocks. */
  let noted = read()
  let isWarned = false
  let isAsked = false
  let isExtending = false

  function read(): {
    readonly left: number
    readonly at: number
    readonly wall: number
    readonly span: number
  } {
    const { notedAt, expiresAt } = mirror.document
    const wall = now()
    // An answer that another run of the browser got: only the wall clock knows how long ago.
    const age = Math.max(0, wall - notedAt)
    return { left: expiresAt - notedAt - age, at: performance.now(), wall, span: expiresAt - notedAt }
  }

  /** The longer of two times: one stands still while the machine sleeps, the other one may be set back. */
  function elapsed(): number {
    return Math.max(performance.now() - noted.at, now() - noted.wall)
  }

  function left(): number | null {
    return mirror.epoch === null ? null : noted.left - elapsed()
  }

  function schedule(): void {
    clearTimeout(timer)
    const remaining = left()
    if (remaining === null) return
    const until = isWarned ? remaining + margin() : remaining - warnSeconds * 1000
    timer = setTimeout(check, Math.min(longestTimer, Math.max(1000, until)))
    // Node (tests, server rendering) would be kept alive; a browser's timer is a number.
    ;(timer as { readonly unref?: () => void }).unref?.()
  }

  function check(): void {
    const remaining = left()
    if (remaining !== null && remaining <= warnSeconds * 1000 && !isWarned) {
      isWarned = true
      onExpiring(Math.max(0, Math.round(remaining / 1000)))
    }
    if (remaining !== null && remaining < -margin() && !isAsked) {
      isAsked = true
      void ask()
    }
    schedule()
  }

  /**
   * Requests that this page does not see use the session, too, without a refresh for as long as a cookie is fresh. Asked
   * any earlier, the asking itself would keep an idle session alive.
   */
  function margin(): number {
    const { notedAt, freshUntil } = mirror.document
    return Math.max(1000, freshUntil - notedAt)
  }

  function onActivity(): void {
    const remaining = left()
    const isDue = remaining !== null && remaining < noted.span * (1 - activityShare)
    if (!isDue || isExtending || document.visibilityState === 'hidden') return
    isExtending = true
    void extend().finally(() => {
      isExtending = false
    })
  }

  const stopChanges = mirror.onChange((after, before) => {
    const [next, last] = [after.mirror, before.mirror]
    if (next.notedAt === last.notedAt && next.expiresAt === last.expiresAt && next.epoch === last.epoch)
      return
    noted = read()
    isWarned = false
    isAsked = false
    schedule()
  })
  if (keepAlive === 'activity' && typeof document !== 'undefined') {
    const { signal } = listening
    for (const name of ['pointerdown', 'keydown', 'wheel', 'visibilitychange'])
      document.addEventListener(name, onActivity, { signal, passive: true })
  }
  schedule()

  return {
    left,
    close() {
      stopChanges()
      listening.abort()
      clearTimeout(timer)
    },
  }
}
