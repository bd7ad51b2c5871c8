// The door `session-mirror/sqlite`: sessions in one SQLite file.
export { sqliteStore } from './stores/sqlite/store.ts'
export type { SqliteStoreOptions } from './stores/sqlite/store.ts'
export type { Store } from './stores/store.ts'
