// One after the other, for each key: what a store needs whose storage cannot compare and swap by itself.

export type Queue = <Result>(key: string, run: () => Promise<Result>) => Promise<Result>

/**
 * A queue for each key. It keeps nothing of a key that nobody waits for.
 * - `run` that rejects: rejects for its own caller alone; the next one begins.
 * - `run` that never ends: nobody behind it begins. Give it a deadline.
 * @example const result = await queue('key', () => readAndWrite('key'))
 */
export function createQueue(): Queue {
  const tails = new Map<string, Promise<unknown>>()
  return async (key, run) => {
    const before = tails.get(key)
    const own = before === undefined ? run() : before.then(run)
    const tail = own.catch(() => undefined)
    tails.set(key, tail)
    try {
      return await own
    } finally {
      if (tails.get(key) === tail) tails.delete(key)
    }
  }
}
