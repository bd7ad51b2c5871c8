// A worker thread that runs seeds: every so many-th of a range, until it is told enough.
import { parentPort, workerData } from 'node:worker_threads'
import { runSeed } from './run.ts'
import type { Broken } from './world.ts'

export interface Share {
  readonly first: number
  readonly end: number
  readonly step: number
  readonly broken: Broken | undefined
}

export interface Outcome {
  readonly seed: number
  readonly hash: string
  readonly complaints: readonly string[]
}

/** Rejections that nobody handles: the SDK promises that there are none. */
const rejections: string[] = []
process.on('unhandledRejection', (error) => {
  rejections.push(`unhandled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
})

const { first, end, step, broken } = workerData as Share // Of `threads.ts`.
for (let seed = first; seed < end; seed += step) {
  // oxlint-disable-next-line no-await-in-loop -- the globals belong to one seed at a time
  const { hash, complaints } = await runSeed({ seed, broken })
  // oxlint-disable-next-line no-await-in-loop -- rejections are told when Node comes up for air
  await new Promise((resolve) => setImmediate(resolve))
  parentPort?.postMessage({
    seed,
    hash,
    complaints: [...complaints, ...rejections.splice(0)],
  } satisfies Outcome)
}
