// Small words for tests of stores.
import type { Store } from '../../src/stores/store.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (read: Awaited<ReturnType<Store['read']>>): string =>
  read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** The code of an `unavailable`, or the kind of anything else. */
export function codeOf(outcome: { readonly kind: string; readonly cause?: unknown }): string {
  const { cause } = outcome
  if (outcome.kind !== 'unavailable') return outcome.kind
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : String(cause)
}

export interface Sample {
  readonly milliseconds: number
  readonly startedAt: number
  readonly outcome: string
}

export interface Load {
  readonly everyMilliseconds: number
  readonly forMilliseconds: number
  /** Gives what came of it. */
  run(index: number): Promise<string>
}

/** Starts operations at a steady pace, whether or not the ones before have ended, and waits for all. */
export async function openLoop({ everyMilliseconds, forMilliseconds, run }: Load): Promise<Sample[]> {
  const samples: Promise<Sample>[] = []
  const begin = performance.now()
  const count = Math.floor(forMilliseconds / everyMilliseconds)
  while (samples.length < count) {
    const due = Math.min(count, Math.floor((performance.now() - begin) / everyMilliseconds) + 1)
    while (samples.length < due) {
      const startedAt = performance.now()
      const outcome = run(samples.length)
      samples.push(
        outcome.then((said) => ({ outcome: said, startedAt, milliseconds: performance.now() - startedAt })),
      )
    }
    await sleep(1)
  }
  return Promise.all(samples)
}
