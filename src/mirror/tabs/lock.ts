// One at a time over all tabs and workers, by Web Locks. A lock here saves traffic; correctness never
// depends on it, so that a browser without it, or a holder that hangs, cannot hang the app.

/** Longer than any holder needs that still works. After it the waiting one takes the lock away: a frozen tab may keep it for hours. */
const lockTimeoutMilliseconds = 5000

/** The Web Locks of this origin; undefined where there are none: old engines, plain http, and pretended browsers that have null. */
export function webLocks(): LockManager | undefined {
  return globalThis.navigator?.locks ?? undefined
}

/**
 * Runs `work` under the lock `name`. Whoever holds it for longer than `patience` milliseconds loses it, and goes on without: so the
 * next ones wait for one that works, and not for the one that hangs, once more each.
 * @param patience milliseconds @default 5000
 */
export async function withLock<T>(
  name: string,
  work: () => Promise<T>,
  patience: number = lockTimeoutMilliseconds,
): Promise<T> {
  const locks = webLocks()
  if (locks === undefined) return work()
  let running: Promise<T> | undefined
  const run = (): Promise<T> => (running = work())
  try {
    return await locks.request(name, { signal: AbortSignal.timeout(patience) }, run)
  } catch {
    // Either the work has failed, or the lock was taken away from it meanwhile: what counts is the work.
    if (running !== undefined) return running
  }
  try {
    return await locks.request(name, { steal: true }, run)
  } catch {
    return running ?? work()
  }
}
