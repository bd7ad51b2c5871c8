// Sessions in Memcached: the contract of `Store` over one node, or over a pool of several.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { type Guarantees, type Store, checkTtl, checkValueSize } from '../store.ts'
import { createNode } from './node.ts'
import { type MemcachedStoreOptions, checkPrefix, toNodeOptions, toServers } from './options.ts'
import { createPool } from './pool.ts'
import { createPoolNode } from './pool-node.ts'

export type { MemcachedStoreOptions } from './options.ts'

const guarantees: Guarantees = {
  compareAndSwap: 'all-processes',
  revocation: 'final',
  durability: 'volatile',
}

/**
 * A store in Memcached, or in an engine that speaks its language. Every operation is one trip to each node of its key.
 * Connects with the first operation, and again after any failure.
 * @throws SessionError `invalid-option` for an address, a prefix or a number of copies that cannot be
 * @example const store = memcachedStore({ servers: '127.0.0.1:11211' })
 * @example const store = memcachedStore({ servers: ['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211'], copies: 2 })
 */
export function memcachedStore(options: MemcachedStoreOptions): Store {
  checkPrefix(options.prefix ?? '')
  const { copies = 1, clock = systemClock } = options
  const servers = toServers(options)
  const [only] = servers
  const inner =
    only !== undefined && servers.length === 1
      ? overNode(options, only.address)
      : createPool(
          servers.map(({ name, address }) => createPoolNode(name, overNode(options, address), clock)),
          copies,
        )
  return {
    name: servers.length === 1 ? 'memcached' : `memcached on ${servers.length} nodes`,
    guarantees,
    read: inner.read,
    create: (key, value, ttlSeconds) => orReject(() => inner.create(key, checked(value), ttlSeconds)),
    replace: (key, value, replacing) => orReject(() => inner.replace(key, checked(value), replacing)),
    end: (key, value, ttlSeconds) => orReject(() => inner.end(key, checked(value), ttlSeconds)),
    close: () => inner.close(),
  }
}

function checked(value: Uint8Array): Uint8Array {
  checkValueSize(value)
  return value
}

/** Not one promise more than the connection gives: each is a twentieth of what an operation costs. */
function overNode(options: MemcachedStoreOptions, address: string): Omit<Store, 'name' | 'guarantees'> {
  const { prefix = '', clock = systemClock } = options
  const node = createNode(toNodeOptions(options, address))

  return {
    read: (key, ttlSeconds) =>
      orReject(() => node.get(prefix + key, ttlSeconds === null ? null : toExptime(ttlSeconds, clock))),
    create: (key, value, ttlSeconds) =>
      orReject(() => node.add(prefix + key, value, toExptime(ttlSeconds, clock))),
    replace: (key, value, { token, ttlSeconds }) =>
      orReject(() => node.swap(prefix + key, value, { token, exptime: toExptime(ttlSeconds, clock) })),
    end: (key, value, ttlSeconds) =>
      orReject(() => node.set(prefix + key, value, toExptime(ttlSeconds, clock))),
    async close() {
      node.close()
    },
  }
}

/** A mistake of the caller rejects like everything else. */
function orReject<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return ask()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Memcached takes more seconds than this for a time since 1970, long gone: the item would be dead at once. */
const maxRelativeSeconds = 2_592_000
/** What fits a signed 32-bit number: the year 2038, until which memcached counts. */
const maxExptime = 2_147_483_647

/** Seconds as memcached takes them. @throws SessionError `invalid-option` */
export function toExptime(ttlSeconds: number, clock: Clock): number {
  checkTtl(ttlSeconds)
  if (ttlSeconds <= maxRelativeSeconds) return ttlSeconds
  return Math.min(maxExptime, Math.floor(clock() / 1000) + ttlSeconds)
}
