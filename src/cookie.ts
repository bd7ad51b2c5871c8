// The door `session-mirror/cookie`: sessions in the cookie itself, and from there into another store.
export { cookieStore } from './stores/cookie/store.ts'
export type { CookieStoreOptions } from './stores/cookie/store.ts'
export { spillStore } from './stores/cookie/spill.ts'
export type { SpillStoreOptions } from './stores/cookie/spill.ts'
export type { Clock } from './protocol/clock.ts'
// The contract of a store, and what its operations give.
export type * from './stores/store.ts'
