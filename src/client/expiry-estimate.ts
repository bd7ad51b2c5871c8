// How long the session still has, by this device's estimate. The times are the server's, in seconds from its answer; what has
// passed since then is estimated so that neither sleep nor a clock that is set makes it too short for long. Pure.
import type { MirrorDocument } from '../mirror/steps/local-state.ts'

/** What the newest answer said that this tab knows, and when that was by both clocks. Milliseconds. */
export interface NotedExpiry {
  /** What was left then. */
  readonly left: number
  /** What the server gave with that answer. */
  readonly span: number
  /** By `performance.now()`. */
  readonly at: number
  readonly wall: number
}

/** `wall` is the time now, by the wall clock. */
export function noteExpiry({ notedAt, expiresAt }: MirrorDocument, wall: number): NotedExpiry {
  const span = expiresAt - notedAt
  // Another run of the browser may have got the answer: only the wall clock knows how long ago.
  return { left: span - Math.max(0, wall - notedAt), span, at: performance.now(), wall }
}

/** Milliseconds that are left at the time `wall`. */
export function leftOf(noted: NotedExpiry, wall: number): number {
  // The longer of two times: one clock stands still while the machine sleeps, the other one may be set back.
  return noted.left - Math.max(performance.now() - noted.at, wall - noted.wall)
}

/**
 * Milliseconds since 1970 until which what is kept of a session may be shown, should the server never be heard again. By default as long
 * again, after its end, as it would have lived unused: a quarter of an hour for one that ends after a quarter of an hour (AAL3).
 */
export function shownUntil(
  { notedAt, expiresAt }: Pick<MirrorDocument, 'notedAt' | 'expiresAt'>,
  offlineSeconds: number | undefined,
): number {
  return expiresAt + (offlineSeconds === undefined ? expiresAt - notedAt : offlineSeconds * 1000)
}

/** Two clocks never agree to the millisecond: an end that moves by less than this has not moved. */
const sameEndMilliseconds = 1000

/** Turns times into Dates: one and the same Date for as long as the time stays the same. */
export function steadyDate(): (time: number | null) => Date | null {
  let date: Date | null = null
  return (time) => {
    if (time === null || date === null || Math.abs(time - date.getTime()) >= sameEndMilliseconds)
      date = time === null ? null : new Date(time)
    return date
  }
}

/**
 * Milliseconds after the estimated end before the server is asked. Requests that this page does not see use the session, too,
 * without a refresh for as long as a cookie is fresh. Asked any earlier, the asking itself would keep an idle session alive.
 */
export function marginOf({ notedAt, freshUntil }: MirrorDocument): number {
  return Math.max(1000, freshUntil - notedAt)
}
