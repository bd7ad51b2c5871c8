// A turn for each key, and a deadline for each caller.
import { type Queue, createQueue } from '../queue.ts'

/**
 * A queue whose callers wait no longer than `timeoutMilliseconds`.
 * - `run` hangs: its caller and those behind it reject at their deadlines, later ones at once, until it ends. Nobody
 *   else runs for that key meanwhile, because the late write of one would overwrite the write of the next, perhaps a
 *   sign-out.
 * - a caller whose deadline comes before its turn: its `run` never begins.
 * @example const value = await createTimedQueue(1000)('key', () => storage.getItem('key'))
 */
export function createTimedQueue(timeoutMilliseconds: number): Queue {
  const queue = createQueue()
  const stuck = new Set<string>()

  return <Result>(key: string, run: () => Promise<Result>): Promise<Result> =>
    new Promise<Result>((resolve, reject) => {
      let state: 'waiting' | 'running' | 'late' = 'waiting'
      if (stuck.has(key)) {
        reject(new Error('An earlier operation on this key has not ended yet: the driver hangs.'))
        return
      }
      const timer = setTimeout(() => {
        if (state === 'running') stuck.add(key)
        state = 'late'
        reject(new Error(`The driver did not answer within ${timeoutMilliseconds} ms.`))
      }, timeoutMilliseconds)
      const begin = async (): Promise<void> => {
        if (state === 'late') return
        state = 'running'
        try {
          resolve(await run())
        } catch (error) {
          reject(error)
        } finally {
          clearTimeout(timer)
          stuck.delete(key)
        }
      }
      void queue(key, begin)
    })
}
