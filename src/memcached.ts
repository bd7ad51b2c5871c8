// The door `session-mirror/memcached`: sessions in Memcached.
export { memcachedStore } from './stores/memcached/store.ts'
export type {
  MemcachedStore,
  MemcachedStoreOptions,
  NodeEvent,
  NodeState,
  NodeStats,
  MemcachedFailureCode,
  ServerOptions,
  TlsOptions,
  ServerFigures,
} from './stores/memcached/store.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
