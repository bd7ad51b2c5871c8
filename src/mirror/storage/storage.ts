// The contract of the browser's storage, kept by IndexedDB (`database.ts`) and by memory (`fallback.ts`).
import type { LocalState, OpenMutation } from '../steps/local-state.ts'

export type Durability = 'disk' | 'memory'

/** A step from one state to the next; must be pure, because it runs inside a transaction and may run again. */
export type StorageStep = (state: LocalState) => LocalState

export interface Storage {
  readonly durability: Durability
  /** Everything that is kept. Missing or unreadable documents come back empty. */
  load(): Promise<LocalState>
  /**
   * Keeps one open mutation, blindly: nothing is read, so it survives a page that closes at once.
   * `replaces` names stamps that this tab wrote for the same key and that are now pointless.
   */
  write(added: OpenMutation, replaces: readonly string[]): Promise<void>
  /** Runs `step` on the newest state of all tabs and keeps the result, all or nothing. */
  transact(step: StorageStep, durability: 'relaxed' | 'strict'): Promise<LocalState>
  close(): void
}

/** Where a tab in memory mode keeps what it knows for its own reload. */
export interface Journal {
  /** What the tab knew before it was reloaded; undefined when that is not known, or another tab has it. */
  take(): Promise<LocalState | undefined>
  /** Keeps this and nothing older: that would be sent twice. */
  keep(state: LocalState): void
  /** The tab is done with it; the next one of the same tab may take it. */
  close(): void
}
