// One at a time over all tabs and workers, by Web Locks. A lock here saves traffic; correctness never
// depends on it, so that a browser without it, or a holder that hangs, cannot hang the app.

/** Longer than any holder needs that still works. After it the waiting one goes on without the lock. */
const lockTimeoutMilliseconds = 5000

/** Runs `work` under the lock `name`, or without it when the lock cannot be had in five seconds. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  if (locks === undefined) return work()
  let started = false
  try {
    return await locks.request(name, { signal: AbortSignal.timeout(lockTimeoutMilliseconds) }, () => {
      started = true
      return work()
    })
  } catch (error) {
    if (started) throw error
    return work()
  }
}
