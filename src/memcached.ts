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
