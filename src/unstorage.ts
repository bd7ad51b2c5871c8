// The door `session-mirror/unstorage`: sessions in any storage that unstorage has a driver for.
export { unstorageStore } from './stores/unstorage/store.ts'
export type { RawStorage, UnstorageStoreOptions } from './stores/unstorage/store.ts'
export type { Store } from './stores/store.ts'
