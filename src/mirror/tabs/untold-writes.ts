// The writes of one task, until the other tabs are told of them: all in one message, before they are on the disk.
import type { OpenMutation } from '../steps/local-state.ts'

/** What the other tabs are told. */
export interface WriteNews {
  readonly added: readonly OpenMutation[]
  /** Stamps of the writes that those replaced. */
  readonly gone: readonly string[]
}

export class UntoldWrites {
  readonly #tell: (news: WriteNews) => void
  #added: OpenMutation[] = []
  #gone: string[] = []

  constructor(tell: (news: WriteNews) => void) {
    this.#tell = tell
  }

  /** Told at the end of this task, with its other writes. */
  add(added: OpenMutation, gone: readonly string[]): void {
    if (this.#added.length === 0) queueMicrotask(() => this.flush())
    if (gone.length > 0) this.#added = this.#added.filter(({ stamp }) => !gone.includes(stamp))
    this.#added.push(added)
    this.#gone.push(...gone)
  }

  /** Tells them now. */
  flush(): void {
    if (this.#added.length === 0) return
    const news = { added: this.#added, gone: this.#gone }
    this.#added = []
    this.#gone = []
    this.#tell(news)
  }
}
