// Sessions in Memcached: the contract of `Store` over one server, or over a pool of several.
import { systemClock } from '../../protocol/clock.ts'
import type { Store } from '../store.ts'
import { checkedStore } from '../wrapped-store.ts'
import { type MemcachedStoreOptions, type ServerOptions, toClientOptions, toServers } from './options.ts'
import { createPoolServer } from './pool-server.ts'
import { type PoolServers, createPool } from './pool.ts'
import { ServerClient } from './server-client.ts'
import { askFigures } from './server-figures.ts'
import { type NodeStats, type ServerStatistics, createServerStatistics } from './server-statistics.ts'

export type { MemcachedFailureCode } from './memcached-error.ts'
export type { MemcachedStoreOptions, ServerOptions } from './options.ts'
export type { ServerFigures } from './server-figures.ts'
export type { NodeEvent, NodeState, NodeStats } from './server-statistics.ts'
export type { TlsOptions } from './socket.ts'

/** A `Store` in Memcached that can say how its servers are. */
export interface MemcachedStore extends Store {
  /**
   * What each server did for this process, and what it says of itself; for that each gets one more connection, for a
   * moment.
   * - a server that does not answer: has no `server`. Never rejects for it; takes two deadlines at most.
   * - repeated: counts go on, but for `longestMilliseconds`, which begins anew.
   */
  stats(): Promise<readonly NodeStats[]>
}

/**
 * A store in Memcached, or in an engine that speaks its language. Every operation is one trip to each server of its key.
 * It connects with the first operation, and again after any failure. The `cause` of what is `unavailable` has a `code`,
 * one of `MemcachedFailureCode`.
 * @throws SessionError `invalid-option` for an address, a name, a prefix or a number that cannot be
 * @example const store = memcachedStore({ servers: '127.0.0.1:11211' })
 * @example const store = memcachedStore({ servers: ['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211'], copies: 2 })
 */
export function memcachedStore(options: MemcachedStoreOptions): MemcachedStore {
  const [first, ...others] = toServers(options)
  const servers = [
    openServer(options, first),
    ...others.map((server) => openServer(options, server)),
  ] as const
  const store = others.length === 0 ? servers[0].client : openPool(options, servers)
  return {
    name: store.name,
    guarantees: store.guarantees,
    read: (key, ttlSeconds) => store.read(key, ttlSeconds),
    create: (key, value, ttlSeconds) => store.create(key, value, ttlSeconds),
    replace: (key, value, replacing) => store.replace(key, value, replacing),
    end: (key, value, ttlSeconds) => store.end(key, value, ttlSeconds),
    close: () => store.close(),
    stats: () => Promise.all(servers.map((server) => server.stats())),
  }
}

interface OpenServer {
  readonly name: string
  readonly client: Store
  readonly statistics: ServerStatistics
  stats(): Promise<NodeStats>
}

function openServer(options: MemcachedStoreOptions, { name, address }: ServerOptions): OpenServer {
  const statistics = createServerStatistics(name)
  const clientOptions = { ...toClientOptions(options, address), watch: statistics }
  return {
    name,
    statistics,
    client: new ServerClient(clientOptions),
    async stats() {
      const server = await askFigures(clientOptions)
      return { ...statistics.take(), server }
    },
  }
}

function openPool(
  { copies = 1, clock = systemClock }: MemcachedStoreOptions,
  [first, ...others]: readonly [OpenServer, ...OpenServer[]],
): Store {
  const toPoolServer = ({ name, client, statistics }: OpenServer): PoolServers[0] =>
    createPoolServer(name, { store: client, statistics, clock })
  return checkedStore(createPool([toPoolServer(first), ...others.map(toPoolServer)], copies))
}
