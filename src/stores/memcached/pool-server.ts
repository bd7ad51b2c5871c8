// One node of a pool: whether it is up, and what it must be told before it is believed again. A node that was away
// while sessions ended still has them; it is held back until it has their tombstones.
import type { EndResult, ReadResult, Store, Unavailable } from '../store.ts'
import { MemcachedError } from './memcached-error.ts'
import type { ServerStatistics } from './server-statistics.ts'

export interface PoolServer extends Omit<Store, 'guarantees'> {
  /** A tombstone that did not get here: it goes first when the node is back. False: there are too many. */
  owe(key: string, tombstone: Uint8Array, ttlSeconds: number): boolean
}

/** Tombstones that a node may owe us: some thirty megabytes. More than this, and a sign-out is refused. */
const maxOwed = 100_000

export interface PoolServerOptions {
  readonly store: Omit<Store, 'name' | 'guarantees'>
  /** Told when the node is held back; the store counts what it does. */
  readonly statistics: ServerStatistics
  readonly now: () => number
}

interface Owed {
  readonly tombstone: Uint8Array
  readonly until: number
}

export function createPoolServer(name: string, { store, statistics, now }: PoolServerOptions): PoolServer {
  const owed = new Map<string, Owed>()
  let paying: Promise<boolean> | undefined

  async function ask<T extends { readonly kind: string }>(run: () => Promise<T>): Promise<T | Unavailable> {
    if (owed.size > 0 && !(await pay())) return held()
    return run()
  }

  /** True when nothing is owed any more. One at a time. */
  function pay(): Promise<boolean> {
    paying ??= payAll().finally(() => {
      paying = undefined
    })
    return paying
  }

  async function payAll(): Promise<boolean> {
    for (const [key, { tombstone, until }] of owed) {
      const seconds = Math.ceil((until - now()) / 1000)
      // oxlint-disable-next-line no-await-in-loop -- one after another: the first failure says that it is still away
      const ended: EndResult = seconds < 1 ? { kind: 'stored' } : await store.end(key, tombstone, seconds)
      if (ended.kind === 'unavailable') return false
      owed.delete(key)
      statistics.owe(owed.size)
    }
    return true
  }

  function held(): Unavailable {
    const cause = new MemcachedError('held', `${name} is held back until it has all tombstones.`)
    statistics.hold(cause)
    return { kind: 'unavailable', cause }
  }

  return {
    name,
    read: (key, ttlSeconds): Promise<ReadResult> => ask(() => store.read(key, ttlSeconds)),
    create: (key, value, ttlSeconds) => ask(() => store.create(key, value, ttlSeconds)),
    replace: (key, value, options) => ask(() => store.replace(key, value, options)),
    end: (key, value, ttlSeconds) => ask(() => store.end(key, value, ttlSeconds)),
    owe(key, tombstone, ttlSeconds) {
      if (owed.size >= maxOwed && !owed.has(key)) return false
      owed.set(key, { tombstone, until: now() + ttlSeconds * 1000 })
      statistics.owe(owed.size)
      return true
    },
    close: () => store.close(),
  }
}
