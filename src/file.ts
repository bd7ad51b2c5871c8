// The door `session-mirror/file`: sessions in a directory, one file for each.
export { fileStore } from './stores/file/store.ts'
export type { FileStoreOptions } from './stores/file/store.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
