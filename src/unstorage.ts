// The door `session-mirror/unstorage`: sessions in any storage that unstorage has a driver for.
export { unstorageStore } from './stores/unstorage/store.ts'
export type { RawStorage, UnstorageStoreOptions } from './stores/unstorage/store.ts'
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
