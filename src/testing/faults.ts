// A store that fails when it is told to: how the app behaves without its Memcached is worth a test.
import type { Store, Unavailable } from '../stores/store.ts'

export interface FaultyStore extends Store {
  /** While true, the store does not answer: 503 `store-unavailable`. */
  isDown: boolean
}

export function faultyStore(store: Store): FaultyStore {
  const down: Unavailable = { kind: 'unavailable', cause: new Error('The test told the store to be down.') }
  return {
    name: store.name,
    guarantees: store.guarantees,
    isDown: false,
    async read(...args) {
      return this.isDown ? down : store.read(...args)
    },
    async create(...args) {
      return this.isDown ? down : store.create(...args)
    },
    async replace(...args) {
      return this.isDown ? down : store.replace(...args)
    },
    async end(...args) {
      return this.isDown ? down : store.end(...args)
    },
    close: () => store.close(),
  }
}
