// The door `session-mirror/memory`: sessions in the memory of one process.
export { memoryStore } from './stores/memory.ts'
export type { MemoryStoreOptions } from './stores/memory.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
