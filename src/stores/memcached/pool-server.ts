// One server of a pool, and what it must be told before it is believed again. A server that was away while sessions
// ended still has them; it is held back until it has their tombstones.
import type { Clock } from '../../protocol/clock.ts'
import type { EndResult, Store, Unavailable } from '../store.ts'
import { wrapStore } from '../wrapped-store.ts'
import { MemcachedError } from './memcached-error.ts'
import type { ServerStatistics } from './server-statistics.ts'

export interface PoolServer extends Store {
  /**
   * Keeps a tombstone that did not reach the server: it goes first when the server is back. False when too many are
   * kept already; then the session has not ended on this server.
   */
  owe(key: string, tombstone: Uint8Array, ttlSeconds: number): boolean
}

export interface PoolServerOptions {
  readonly store: Store
  /** Told when the server is held back; the store counts what it does. */
  readonly statistics: ServerStatistics
  readonly clock: Clock
}

interface OwedTombstone {
  readonly tombstone: Uint8Array
  /** Milliseconds since 1970. */
  readonly until: number
}

/** Tombstones that are kept for one server: some thirty megabytes. */
const maxOwed = 100_000

/** @param name decides which keys the server holds */
export function createPoolServer(name: string, { store, statistics, clock }: PoolServerOptions): PoolServer {
  const owed = new Map<string, OwedTombstone>()
  let paying: Promise<boolean> | undefined

  /** True when nothing is owed any more. One at a time. */
  function pay(): Promise<boolean> {
    paying ??= payAll().finally(() => {
      paying = undefined
    })
    return paying
  }

  async function payAll(): Promise<boolean> {
    for (const [key, { tombstone, until }] of owed) {
      const seconds = Math.ceil((until - clock()) / 1000)
      // oxlint-disable-next-line no-await-in-loop -- one after another: the first failure says that it is still away
      const ended: EndResult = seconds < 1 ? { kind: 'stored' } : await store.end(key, tombstone, seconds)
      if (ended.kind === 'unavailable') return false
      owed.delete(key)
      statistics.owe(owed.size)
    }
    return true
  }

  async function afterPaying<Result>(run: () => Promise<Result>): Promise<Result | Unavailable> {
    if (await pay()) return run()
    const cause = new MemcachedError('held', `${name} is held back until it has all tombstones.`)
    statistics.hold(cause)
    return { kind: 'unavailable', cause }
  }

  return {
    ...wrapStore(store, (_call, run) => (owed.size > 0 ? afterPaying(run) : run())),
    name,
    owe(key, tombstone, ttlSeconds) {
      if (owed.size >= maxOwed && !owed.has(key)) return false
      owed.set(key, { tombstone, until: clock() + ttlSeconds * 1000 })
      statistics.owe(owed.size)
      return true
    },
  }
}
