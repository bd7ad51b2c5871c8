// The door `session-mirror/sqlite`: sessions in one SQLite file.
export { sqliteStore } from './stores/sqlite/store.ts'
export type { SqliteStoreOptions } from './stores/sqlite/store.ts'
export type { Clock } from './protocol/clock.ts'
export type {
  CreateResult,
  EndResult,
  Guarantees,
  ReadResult,
  ReplaceOptions,
  ReplaceResult,
  Store,
  Unavailable,
} from './stores/store.ts'
