// When the app's own functions are called: its listeners, and whoever waits for what became of a write. Owns the rule that none of
// them runs while this tab holds a lock: it may keep its page busy for as long as it likes (an `alert`), and all other tabs would wait.

type Call = () => void

export class AppCalls {
  #isQuiet = false
  #waiting: Call[] = []

  /** Calls it now; or, out of `quietly`, at the next `release`. Whatever has waited goes before it. */
  run(call: Call): void {
    if (this.#isQuiet) return void this.#waiting.push(call)
    this.release()
    call()
  }

  /** What `work` wants to call has to wait. */
  quietly(work: () => void): void {
    this.#isQuiet = true
    try {
      work()
    } finally {
      this.#isQuiet = false
    }
  }

  /** Calls what has waited. */
  release(): void {
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) call()
  }
}
