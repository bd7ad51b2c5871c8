// How long the session still has, by this device's estimate. The times are the server's, in seconds from its answer; what has
// passed since then is estimated so that neither sleep nor a clock that is set makes it too short for long.
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

export interface ExpiryEstimate {
  /** Milliseconds that are left; null without a session. */
  left(): number | null
  /** Milliseconds after the estimated end before the server is asked. */
  margin(): number
  /** Whether so large a share of the time is over that the server gave with its last answer. */
  isPast(share: number): boolean
  /** The server has answered: counts from that answer. */
  renew(): void
}

export function createExpiryEstimate(mirror: TabMirror, now: () => number): ExpiryEstimate {
  /** Of the newest answer that this tab knows: what was left then, and when that was by both clocks. */
  let left = 0
  let span = 0
  let at = 0
  let wall = 0

  function renew(): void {
    const { notedAt, expiresAt } = mirror.document
    at = performance.now()
    wall = now()
    span = expiresAt - notedAt
    // Another run of the browser may have got the answer: only the wall clock knows how long ago.
    left = span - Math.max(0, wall - notedAt)
  }

  function remaining(): number | null {
    // The longer of two times: one clock stands still while the machine sleeps, the other one may be set back.
    return mirror.epoch === null ? null : left - Math.max(performance.now() - at, now() - wall)
  }

  renew()
  return {
    left: remaining,
    margin() {
      // Requests that this page does not see use the session, too, without a refresh for as long as a cookie is fresh. Asked
      // any earlier, the asking itself would keep an idle session alive.
      const { notedAt, freshUntil } = mirror.document
      return Math.max(1000, freshUntil - notedAt)
    },
    isPast(share) {
      const rest = remaining()
      return rest !== null && rest < span * (1 - share)
    },
    renew,
  }
}
