// The contract of the browser's storage. IndexedDB keeps it (`database-storage.ts`), and so does memory (`memory-storage.ts`).
import type { LocalState, OpenMutation } from '../steps/local-state.ts'

/** Where changes are kept: on `disk` for the next start, or in the `memory` of this tab. */
export type Durability = 'disk' | 'memory'

/** A step from one state to the next. Must be pure: it runs inside a transaction, and may run again. */
export type StorageStep = (state: LocalState) => LocalState

/** Keeps the local state of one browser profile, or of one tab. */
export interface Storage {
  /** Where this storage keeps what it is given. */
  readonly durability: Durability
  /**
   * Reads everything that is kept. A document that is missing or malformed comes back empty.
   * @throws NewerFormatError when a newer version of this library wrote it; any error when storage cannot be reached
   */
  load(): Promise<LocalState>
  /**
   * Keeps one open mutation. Nothing is read first, so the write survives a page that closes at once; writes of one task
   * are kept together.
   * `replaces` has the stamps of this tab's earlier writes of the same key, which are now pointless.
   * Writing the same stamp again replaces the entry. Rejects when storage cannot be reached.
   */
  write(added: OpenMutation, replaces: readonly string[]): Promise<void>
  /**
   * Runs `step` on the newest state of all tabs and keeps the result, all or nothing. Concurrent calls run one after
   * another. `strict` also survives a power cut. Rejects with what `step` throws, or when storage cannot be reached.
   */
  transact(step: StorageStep, durability: 'relaxed' | 'strict'): Promise<LocalState>
  /**
   * Deletes everything that is kept, as far as that needs no room. Resolves with false when it could not be done. A storage
   * that never fails needs none.
   */
  clear?(): Promise<boolean>
  /** Lets go of the storage. What was written stays. */
  close(): void
}

/** Where a tab in memory mode keeps its state for its own reload. */
export interface Journal {
  /** Returns the state from before the reload; undefined when there is none, or when a duplicate of the tab has it. */
  take(): Promise<LocalState | undefined>
  /** Keeps `state`, or nothing at all. An older state must not stay: its changes would be sent twice. */
  keep(state: LocalState): void
  /** The state is kept elsewhere by now: nobody may take it from here. */
  drop(): void
  /** The tab is closed; its next page may take the state. */
  close(): void
}
