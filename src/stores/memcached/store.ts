// Sessions in Memcached: the contract of `Store` over one node, or over a pool of several.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { checkTtl, checkValueSize } from '../argument-checks.ts'
import type { Guarantees, Store } from '../store.ts'
import { askFigures } from './server-figures.ts'
import { type ServerClient, createServerClient } from './server-client.ts'
import { type MemcachedStoreOptions, checkPrefix, toClientOptions, toServers } from './options.ts'
import { createPool } from './pool.ts'
import { createPoolServer } from './pool-server.ts'
import { type ServerStatistics, type NodeStats, createServerStatistics } from './server-statistics.ts'

export type { ServerFigures } from './server-figures.ts'
export type { MemcachedFailureCode } from './memcached-error.ts'
export type { MemcachedStoreOptions, ServerOptions } from './options.ts'
export type { TlsOptions } from './socket.ts'
export type { NodeEvent, NodeState, NodeStats } from './server-statistics.ts'

export interface MemcachedStore extends Store {
  /**
   * What each node did in this process, and what its server says of itself; one more connection each, for a moment.
   * A node that does not answer has no `server`. Never rejects because a node is away; takes two deadlines at most.
   * Repeated: counts go on, but for `longestMilliseconds`, which begins anew.
   */
  stats(): Promise<readonly NodeStats[]>
}

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
export function memcachedStore(options: MemcachedStoreOptions): MemcachedStore {
  checkPrefix(options.prefix ?? '')
  const { copies = 1, clock: now = systemClock } = options
  const nodes = toServers(options).map(({ name, address }) => openNode(options, { name, address }))
  const [only] = nodes
  const inner =
    only !== undefined && nodes.length === 1
      ? only.store
      : createPool(
          nodes.map(({ name, store, statistics }) => createPoolServer(name, { store, statistics, now })),
          copies,
        )
  return {
    name: nodes.length === 1 ? 'memcached' : `memcached on ${nodes.length} nodes`,
    guarantees,
    read: inner.read,
    create: (key, value, ttlSeconds) => orReject(() => inner.create(key, checked(value), ttlSeconds)),
    replace: (key, value, replacing) => orReject(() => inner.replace(key, checked(value), replacing)),
    end: (key, value, ttlSeconds) => orReject(() => inner.end(key, checked(value), ttlSeconds)),
    close: () => inner.close(),
    stats: () => Promise.all(nodes.map((node) => node.stats())),
  }
}

function checked(value: Uint8Array): Uint8Array {
  checkValueSize(value)
  return value
}

interface OpenNode {
  readonly name: string
  readonly store: Omit<Store, 'name' | 'guarantees'>
  readonly statistics: ServerStatistics
  stats(): Promise<NodeStats>
}

function openNode(
  options: MemcachedStoreOptions,
  { name, address }: { readonly name: string; readonly address: string },
): OpenNode {
  const statistics = createServerStatistics(name)
  const nodeOptions = { ...toClientOptions(options, address), watch: statistics }
  return {
    name,
    statistics,
    store: overNode(options, createServerClient(nodeOptions)),
    async stats() {
      const server = await askFigures(nodeOptions)
      return { ...statistics.take(), server }
    },
  }
}

/** Not one promise more than is needed: each is a twentieth of what an operation costs. */
function overNode(
  { prefix = '', clock = systemClock }: MemcachedStoreOptions,
  node: ServerClient,
): Omit<Store, 'name' | 'guarantees'> {
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
