// Waiting in tests. For a condition wherever there is one; for a time only where the time itself is tested, or where
// something must not happen.

/** Resolves after `milliseconds`. A test that needs this to be long enough for something else is wrong: use `until`. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

export interface UntilOptions {
  /** Milliseconds between two looks. @default 10 */
  readonly interval?: number
  /** Milliseconds after which it is given up; long, because it costs nothing but when the test fails. @default 60,000 */
  readonly timeout?: number
}

/**
 * Waits until `condition` gives something that is neither false nor null nor undefined, and gives it.
 * @param what for the error: "the worker is stopped"
 * @throws Error when that has not come true in time
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { interval = 10, timeout = 60_000 }: UntilOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + timeout
  for (;;) {
    const result = await condition()
    if (result !== false && result !== null && result !== undefined)
      return result as NonNullable<Exclude<T, false>> // It is none of the three.
    if (performance.now() > end) throw new Error(`${what}: not within ${timeout} ms`)
    await sleep(interval)
  }
}
