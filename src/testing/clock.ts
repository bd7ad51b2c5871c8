// A clock that tests hold: it stands still until it is told to go on.
import type { Clock } from '../protocol/clock.ts'

/** A clock that the test holds. It stands still until `advance` is called. */
export interface TestClock {
  /** Give this to `createSession({ now })` and to the test server alike. */
  readonly now: Clock
  /** Moves the clock on by so many seconds. @example clock.advance(15 * 60) // the cookie is stale now */
  advance(seconds: number): void
}

/**
 * Makes a clock that stands still. Starts at the real time, because browsers compare cookies with theirs.
 * @param start milliseconds since 1970. @default the real time
 * @example const clock = createTestClock()
 * const session = createSession({ schema, now: clock.now })
 */
export function createTestClock(start: number = Date.now()): TestClock {
  let milliseconds = start
  return {
    now: () => milliseconds,
    advance(seconds) {
      milliseconds += seconds * 1000
    },
  }
}
