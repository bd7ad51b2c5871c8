// Writes that must stay visible although a read of storage does not show them yet: this tab's own until storage has
// confirmed them, and those that other tabs told of for as long as they may take to the disk.
import type { LocalState, OpenMutation } from '../steps/local-state.ts'
import { withOpen } from '../steps/outbox.ts'
import { holdsMutation } from './merge.ts'

/** The longest time, in milliseconds, that another tab's write takes from its broadcast to the disk. */
export const broadcastToDiskMilliseconds = 2000

interface HeardWrite {
  /** Null: it is gone by now, and another tab may still tell of it late. */
  readonly entry: OpenMutation | null
  /** By `performance.now()`. */
  readonly until: number
}

export class UnconfirmedWrites {
  readonly #own = new Map<string, OpenMutation>()
  readonly #heard = new Map<string, HeardWrite>()

  /** This tab makes a write. */
  addOwn(entry: OpenMutation): void {
    this.#own.set(entry.stamp, entry)
  }

  /** Storage has this tab's write. */
  confirmOwn({ stamp }: OpenMutation): void {
    this.#own.delete(stamp)
  }

  /** Other tabs tell of writes. Returns those that are not gone already. */
  hear(entries: readonly OpenMutation[]): readonly OpenMutation[] {
    const added = entries.filter(({ stamp }) => this.#heard.get(stamp)?.entry !== null)
    for (const entry of added) this.#note(entry.stamp, entry)
    return added
  }

  /** Writes were sealed, replaced or given up. */
  forget(stamps: readonly string[] = []): void {
    for (const stamp of stamps) this.#note(stamp, null)
  }

  /** What other tabs told is not for this tab any more: it goes on in memory. */
  forgetHeard(): void {
    this.#heard.clear()
  }

  /** Whether another tab's write is still on its way to the disk. */
  get isAnyOnItsWay(): boolean {
    return [...this.#heard.values()].some(({ entry }) => entry)
  }

  /** What storage says, with the writes on top that it has not got yet. */
  onTopOf(loaded: LocalState): LocalState {
    let { open } = loaded
    for (const [stamp, { entry, until }] of this.#heard) {
      // Storage has it now; or its tab never got it there.
      if (performance.now() > until || (entry && holdsMutation(loaded, entry.mutation.id)))
        this.#heard.delete(stamp)
      else if (entry) open = withOpen(open, entry)
    }
    for (const entry of this.#own.values()) {
      if (!holdsMutation(loaded, entry.mutation.id)) open = withOpen(open, entry)
    }
    return { ...loaded, open }
  }

  #note(stamp: string, entry: OpenMutation | null): void {
    this.#heard.set(stamp, { entry, until: performance.now() + broadcastToDiskMilliseconds })
  }
}
