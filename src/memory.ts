// The door `session-mirror/memory`: sessions in the memory of one process.
export { memoryStore } from './stores/memory.ts'
export type { MemoryStoreOptions } from './stores/memory.ts'
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
