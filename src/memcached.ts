// The door `session-mirror/memcached`: sessions in Memcached.
export { memcachedStore } from './stores/memcached/store.ts'
export type {
  MemcachedStore,
  MemcachedStoreOptions,
  NodeEvent,
  NodeState,
  NodeStats,
  ServerFigures,
} from './stores/memcached/store.ts'
export type { Store } from './stores/store.ts'
