// The disk, and memory where the disk fails. Owns the way back: what is written while the disk takes over again waits for it, so that
// nothing is left in a memory that nobody reads any more.
import type { Epoch } from '../../protocol/state.ts'
import { type LocalState, type OpenMutation, emptyLocalState, isBlank } from '../steps/local-state.ts'
import type { MemoryMerge } from '../steps/memory-merge.ts'
import { NewerFormatError } from './database-connection.ts'
import { memoryStorage } from './memory-storage.ts'
import type { Durability, Journal, Storage, StorageStep } from './storage.ts'

/**
 * What is remembered of this browser's session outside of the disk, while the disk does not hear of it: the next start must not
 * show what the disk still has of a session that is over.
 */
export interface DiskMark {
  /** Undefined: the disk knows all. Null: nobody has a session. Else the one that there is. */
  read(): Epoch | null | undefined
  write(epoch: Epoch | null | undefined): void
}

export interface FallbackOptions {
  readonly disk: Storage
  readonly journal: Journal | undefined
  readonly mark: DiskMark | undefined
}

/** The step from what the disk has and what memory has to what the disk is to have; undefined when it cannot be done now. */
export type MergeStep = (disk: LocalState, memory: LocalState, made: MadeInMemory) => LocalState | undefined

/** What was done since memory took over. */
export type MadeInMemory = Omit<MemoryMerge, 'parcel'>

export class FallbackStorage {
  readonly #options: FallbackOptions
  #current: Storage
  /** A newer version of this library owns the disk: it is never read or written again from here. */
  #isOutdated = false
  #returning: Promise<unknown> | undefined
  /** The batch that was on its way when memory took over. */
  #behind: string | undefined
  /** For each key the last write that was made in memory. */
  readonly #newest = new Map<string, OpenMutation>()

  constructor(options: FallbackOptions) {
    this.#options = options
    this.#current = options.disk
  }

  get durability(): Durability {
    return this.#current.durability
  }

  /** Whether the disk may be taken back, should it be well again. */
  get isWaiting(): boolean {
    const { disk } = this.#options
    return this.#current !== disk && disk.durability === 'disk' && !this.#isOutdated
  }

  async load(): Promise<LocalState> {
    await this.#returning
    const state = await this.#current.load()
    return this.#current === this.#options.disk ? this.#believed(state) : state
  }

  /** Not async: a page that closes must have its write under way when this returns. */
  write(added: OpenMutation, gone: readonly string[]): Promise<void> {
    if (this.#returning !== undefined) return this.#returning.then(() => this.write(added, gone))
    // An increment overtakes nothing: whatever waits on the disk is counted all the same.
    if (this.durability === 'memory' && added.mutation.kind !== 'increment')
      this.#newest.set(added.mutation.key, added)
    return this.#current.write(added, gone)
  }

  async transact(step: StorageStep, durability: 'relaxed' | 'strict'): Promise<LocalState> {
    await this.#returning
    return this.#current.transact(step, durability)
  }

  /** The disk has failed with `error`: memory goes on, with what is known. */
  goOnInMemory(
    error: unknown,
    known: LocalState,
  ): { readonly kept: LocalState; readonly isOutdated: boolean } {
    const isOutdated = error instanceof NewerFormatError
    const fresh = emptyLocalState()
    this.#isOutdated = isOutdated
    this.#behind = known.outbox.sealed?.text
    // What is on disk stays there for a later start or another tab. Sending it from here as well would apply
    // it twice under two client ids: only a write that failed to reach the disk comes along, when it fails.
    const kept = isOutdated ? fresh : { ...fresh, mirror: known.mirror }
    if (isOutdated) this.#options.disk.close()
    this.#current = memoryStorage(kept, this.#options.journal)
    return { kept, isOutdated }
  }

  /** What the disk has, should it answer. Rejects as long as it does not. */
  async probe(): Promise<LocalState> {
    const state = await this.#options.disk.load()
    const { mirror } = await this.#current.load()
    // Who knows of no session cannot say that the disk's is over; what an earlier page has left of that can.
    return isBlank(mirror) ? this.#believed(state) : state
  }

  /** Gives the disk what memory has, and goes on with it. Undefined when the disk, or the step, would not have it now. */
  async takeDiskBack(merge: MergeStep): Promise<LocalState | undefined> {
    if (!this.isWaiting || this.#returning !== undefined) return undefined
    const returning = this.#merge(merge).catch(() => undefined)
    this.#returning = returning
    const merged = await returning
    this.#returning = undefined
    return merged
  }

  async #merge(merge: MergeStep): Promise<LocalState | undefined> {
    const { disk, mark } = this.#options
    const memory = this.#current
    const known = await memory.load()
    let merged: LocalState | undefined
    const after = await disk.transact((state) => {
      merged = merge(state, known, { newest: [...this.#newest.values()], behind: this.#behind })
      return merged ?? state
    }, 'strict')
    if (merged === undefined) return undefined
    this.#current = disk
    this.#newest.clear()
    // Its state must never come back: it would be sent twice.
    this.#options.journal?.drop()
    memory.close()
    mark?.write(undefined)
    return after
  }

  /** Deletes all that is on the disk, which needs no room on it. False when not even that can be done. */
  async clearDisk(): Promise<boolean> {
    const { disk } = this.#options
    // An app may have given one that keeps nothing.
    const isCleared = disk.durability === 'memory' || ((await disk.clear?.().catch(() => false)) ?? false)
    if (isCleared) this.#options.mark?.write(undefined)
    return isCleared
  }

  close(): void {
    this.#current.close()
    this.#options.disk.close()
  }

  /** What the disk has of a session that ended while it was away is shown to nobody. */
  async #believed(state: LocalState): Promise<LocalState> {
    const { mark, disk } = this.#options
    const marked = mark?.read()
    if (marked === undefined) return state
    if (isBlank(state.mirror) || state.mirror.epoch === marked) {
      mark?.write(undefined)
      return state
    }
    if (!(await this.clearDisk()))
      throw new Error('The disk has a session that is over, and cannot be cleared.')
    return disk.load()
  }
}
