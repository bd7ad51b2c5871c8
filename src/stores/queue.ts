// One operation after another for each key, within this process. It is the only queue of its kind in stores and
// server: what cannot be decided in one step (a store without compare-and-swap, a list that is read and written
// back) takes its turn here. It holds nothing of a key that nobody waits for.

/**
 * Runs `run` when all earlier runs for the same key have ended, and gives its result.
 * - nobody else waits for the key: `run` begins at once, within the call.
 * - `run` rejects or throws: only its own caller is told; the next run begins.
 * - `run` never ends: no run for that key begins any more. Give it a deadline of its own.
 * - other keys: never waited for.
 */
export type Queue = <Result>(key: string, run: () => Promise<Result>) => Promise<Result>

/**
 * Creates a queue with a line of its own for each key.
 * @example const result = await queue('key', () => readAndWrite('key'))
 */
export function createQueue(): Queue {
  const tails = new Map<string, Promise<unknown>>()
  return async (key, run) => {
    const before = tails.get(key)
    const own = before === undefined ? run() : before.then(run)
    // Never rejects: a failure belongs to its own caller, not to the next in line.
    const tail = own.catch(() => undefined)
    tails.set(key, tail)
    try {
      return await own
    } finally {
      if (tails.get(key) === tail) tails.delete(key)
    }
  }
}
