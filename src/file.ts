// The door `session-mirror/file`: sessions in a directory, one file for each.
export { fileStore } from './stores/file/store.ts'
export type { FileStoreOptions } from './stores/file/store.ts'
export type { Store } from './stores/store.ts'
