// The door `session-mirror/file`: sessions in a directory, one file for each.
export { fileStore } from './stores/file/store.ts'
export type { FileStoreOptions } from './stores/file/store.ts'
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
