// The door `session-mirror/memory`: sessions in the memory of one process.
export { memoryStore } from './stores/memory.ts'
export type { MemoryStoreOptions } from './stores/memory.ts'
export type { Store } from './stores/store.ts'
