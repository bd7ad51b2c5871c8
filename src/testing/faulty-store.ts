// A store that fails when it is told to: how the app behaves without its Memcached is worth a test.
import type { Store, Unavailable } from '../stores/store.ts'
import { wrapStore } from '../stores/wrapped-store.ts'

/** A store that fails when the test says so. */
export interface FaultyStore extends Store {
  /** While true, the store does not answer: 503 `store-unavailable`. */
  isDown: boolean
}

export function faultyStore(store: Store): FaultyStore {
  const down: Unavailable = { kind: 'unavailable', cause: new Error('The test told the store to be down.') }
  const wrapped = wrapStore(store, async (_call, run) => (faulty.isDown ? down : run()))
  const faulty: FaultyStore = { ...wrapped, isDown: false }
  return faulty
}
