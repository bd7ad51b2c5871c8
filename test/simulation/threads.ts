// Many seeds on all cores.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Outcome, Share } from './thread.ts'
import type { Broken } from './world.ts'

export interface Range {
  readonly first: number
  readonly count: number
  readonly broken?: Broken
  /** After the first seed that complains. */
  readonly stopsAtFirst?: boolean
}

/** The outcomes of all seeds of a range, in their order; those up to the first that complains, if that is enough. */
export async function runMany({ first, count, broken, stopsAtFirst = false }: Range): Promise<Outcome[]> {
  const step = Math.min(availableParallelism(), count)
  const outcomes: Outcome[] = []
  const threads = Array.from({ length: step }, (_, index) => {
    const share: Share = { first: first + index, end: first + count, step, broken }
    // Without the options of whoever runs this: Node runs TypeScript by itself.
    return new Worker(new URL('./thread.ts', import.meta.url), { workerData: share, execArgv: [] })
  })
  const stop = (): void => {
    for (const thread of threads) void thread.terminate()
  }
  await Promise.all(
    threads.map(
      (thread) =>
        new Promise<void>((resolve, reject) => {
          thread.on('message', (outcome: Outcome) => {
            outcomes.push(outcome)
            if (stopsAtFirst && outcome.complaints.length > 0) stop()
          })
          thread.on('error', reject)
          thread.on('exit', () => resolve())
        }),
    ),
  )
  return outcomes.toSorted((a, b) => a.seed - b.seed)
}
