// The door `session-mirror/memcached`: sessions in Memcached.
export { memcachedStore } from './stores/memcached/store.ts'
export type { MemcachedStoreOptions } from './stores/memcached/store.ts'
export type { Store } from './stores/store.ts'
