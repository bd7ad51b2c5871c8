// Small words for tests of stores.
import type { Store } from '../../src/stores/store.ts'
import { startProcessClock } from './process-time.ts'
import { sleep } from './waiting.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (read: Awaited<ReturnType<Store['read']>>): string =>
  read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind

/** The code of an `unavailable`, or the kind of anything else. */
export function codeOf(outcome: { readonly kind: string; readonly cause?: unknown }): string {
  const { cause } = outcome
  if (outcome.kind !== 'unavailable') return outcome.kind
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : String(cause)
}

export interface Sample {
  /** What the operation took of the time that this process was given. */
  readonly milliseconds: number
  readonly outcome: string
}

export interface Load {
  readonly everyMilliseconds: number
  readonly forMilliseconds: number
  /** Goes on after that until this is true of the samples that have ended, for a minute at most. @default at once */
  readonly until?: (samples: readonly Sample[]) => boolean
  /** Gives what came of it. */
  run(index: number): Promise<string>
}

/** Starts operations at a steady pace, whether or not the ones before have ended, and waits for all. */
export async function openLoop(load: Load): Promise<Sample[]> {
  const { everyMilliseconds, forMilliseconds, until = () => true, run } = load
  const clock = startProcessClock()
  const running: Promise<Sample>[] = []
  const ended: Sample[] = []
  const begin = performance.now()
  for (;;) {
    const elapsed = performance.now() - begin
    if (elapsed >= forMilliseconds && (until(ended) || elapsed > forMilliseconds + 60_000)) break
    // No more than a few at once: what could not be started in time is not made up for in one burst.
    const due = Math.min(running.length + 50, Math.floor(elapsed / everyMilliseconds) + 1)
    while (running.length < due) {
      const startedAt = clock.now()
      running.push(
        run(running.length).then((outcome) => {
          const sample = { outcome, milliseconds: clock.now() - startedAt }
          ended.push(sample)
          return sample
        }),
      )
    }
    await sleep(1)
  }
  const samples = await Promise.all(running)
  clock.stop()
  return samples
}
