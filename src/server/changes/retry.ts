// Trying a compare-and-swap again when another writer was quicker. Gives up after a number of tries.
import * as limits from '../../protocol/limits.ts'
import { refusal } from '../core/refusal.ts'

/** The longest pause between two tries. Pauses are random, so that competing processes fall out of step. */
const maxPauseMilliseconds = 40

/**
 * The result of the first `attempt` that gives one. An attempt answers `again` to be called once more.
 * @throws SessionError `contention` after `limits.commitAttempts` attempts, and whatever an attempt throws
 */
export async function retry<T extends object | undefined>(attempt: () => Promise<T | 'again'>): Promise<T> {
  for (let count = 1; count <= limits.commitAttempts; count++) {
    // oxlint-disable-next-line no-await-in-loop -- each try depends on the failure of the one before
    const result = await attempt()
    if (result !== 'again') return result
    // oxlint-disable-next-line no-await-in-loop -- the pause is meant to keep the tries apart
    await pause(Math.random() * Math.min(2 ** count, maxPauseMilliseconds))
  }
  throw refusal('contention', { retryAfterSeconds: 1 })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
