// The door `session-mirror/sqlite`: sessions in one SQLite file.
export { sqliteStore } from './stores/sqlite/store.ts'
export type { SqliteStoreOptions } from './stores/sqlite/store.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
