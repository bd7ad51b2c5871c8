// Trying a compare-and-swap again when somebody else was quicker.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'

/** Milliseconds that a try waits at most, so that competing processes fall out of step. */
const maxPause = 40

/**
 * The result of the first `attempt` that gives one; `again` asks for another try.
 * @throws SessionError `contention` after twenty
 */
export async function retry<T extends object | undefined>(attempt: () => Promise<T | 'again'>): Promise<T> {
  for (let count = 1; count <= limits.commitAttempts; count++) {
    // oxlint-disable-next-line no-await-in-loop -- each try depends on the failure of the one before
    const result = await attempt()
    if (result !== 'again') return result
    // oxlint-disable-next-line no-await-in-loop -- and is meant to be apart from it
    await pause(Math.random() * Math.min(2 ** count, maxPause))
  }
  throw new SessionError('contention', undefined, { retryAfterSeconds: 1 })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
