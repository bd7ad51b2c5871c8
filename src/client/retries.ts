// When something that failed at the start is tried again: at the next sign of life, and then ever less often.

/** The pause after the second failure. It doubles with each further one. */
const firstPauseMilliseconds = 1000
const longestPauseMilliseconds = 300_000

export class Retries {
  #failures = 0
  #dueAt = 0

  /** It is being tried. */
  begin(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
  }

  failed(): void {
    const pause = this.#failures === 0 ? 0 : firstPauseMilliseconds * 2 ** (this.#failures - 1)
    this.#failures++
    this.#dueAt = performance.now() + Math.min(longestPauseMilliseconds, pause)
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** Whether it has failed, and may be tried again by now. */
  get isDue(): boolean {
    return this.#failures > 0 && performance.now() >= this.#dueAt
  }
}
