// The mirror for whoever holds a lock: the app hears of its changes when the lock is free again (`app-calls.ts`).
import type { LocalState, MirrorDocument } from '../steps/local-state.ts'
import type { Mutation } from '../../protocol/mutation.ts'
import type { PendingSignOut } from '../steps/sign-out.ts'
import type { Durability, StorageStep } from '../storage/storage.ts'
import type { TabMirror } from './tab-mirror.ts'

/** What the sync loop needs of a mirror. A `TabMirror` is one; its own methods tell each change at once. */
export interface SyncedMirror {
  readonly state: LocalState
  readonly document: MirrorDocument
  readonly pending: readonly Mutation[]
  readonly pendingSignOut: PendingSignOut | undefined
  readonly durability: Durability
  reload(): Promise<LocalState>
  transact(step: StorageStep, durability?: 'relaxed' | 'strict'): Promise<LocalState>
}

export class QuietMirror implements SyncedMirror {
  readonly #mirror: TabMirror

  constructor(mirror: TabMirror) {
    this.#mirror = mirror
  }

  get state(): LocalState {
    return this.#mirror.state
  }

  get document(): MirrorDocument {
    return this.#mirror.document
  }

  get pending(): readonly Mutation[] {
    return this.#mirror.pending
  }

  get pendingSignOut(): PendingSignOut | undefined {
    return this.#mirror.pendingSignOut
  }

  get durability(): Durability {
    return this.#mirror.durability
  }

  reload(): Promise<LocalState> {
    return this.#mirror.reload(true)
  }

  transact(step: StorageStep, durability?: 'relaxed' | 'strict'): Promise<LocalState> {
    return this.#mirror.transact(step, durability, true)
  }
}
