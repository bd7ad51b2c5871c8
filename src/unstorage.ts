// The door `session-mirror/unstorage`: sessions in any storage that unstorage has a driver for.
export { unstorageStore } from './stores/unstorage/store.ts'
export type { RawStorage, UnstorageStoreOptions } from './stores/unstorage/store.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
