// Sessions in Memcached, by the meta protocol. Every operation is one trip to each node of its key.
import type { NetConnectOpts } from 'node:net'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { SessionError } from '../../protocol/errors.ts'
import {
  type Guarantees,
  type Store,
  type Unavailable,
  checkKey,
  checkTtl,
  checkValueSize,
  maxValueBytes,
} from '../store.ts'
import { type Command, createConnection } from './connection.ts'
import { createPool } from './pool.ts'
import { createPoolNode } from './pool-node.ts'
import { headBytes } from './versioned.ts'
import { type MetaAnswer, type MetaStatus, type SetCommand, encodeGet, encodeSet } from './meta.ts'

export interface ServerOptions {
  readonly name: string
  readonly address: string
}

export interface MemcachedStoreOptions {
  /**
   * `host:port`, `[::1]:11211` or the path of a Unix socket. Of several each has its share of the keys, which its name
   * decides: keep the name when a node moves to another address. @default name: the address
   */
  readonly servers: string | readonly (string | ServerOptions)[]
  /** On how many nodes each session is. With 2 it outlives the loss of one. @default 1 */
  readonly copies?: 1 | 2
  /** Goes before every key, so that two apps can share one memcached. @default '' */
  readonly prefix?: string
  /** For each operation, connecting included. @default 250 */
  readonly timeoutMilliseconds?: number
  /** Milliseconds since 1970, for lifetimes above 30 days. @default the system's */
  readonly clock?: Clock
}

/** Memcached takes more seconds than this for a time since 1970, long gone: the item would be dead at once. */
const maxRelativeSeconds = 2_592_000

/**
 * A store in Memcached 1.6.10 or newer.
 * Connects with the first operation, and again after any failure.
 * @throws SessionError `invalid-option` for an address, a prefix or a number of copies that cannot be
 * @example const store = memcachedStore({ servers: '127.0.0.1:11211' })
 * @example const store = memcachedStore({ servers: ['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211'], copies: 2 })
 */
export function memcachedStore(options: MemcachedStoreOptions): Store {
  const { prefix = '', timeoutMilliseconds = 250, copies = 1, clock = systemClock } = options
  check(prefix, timeoutMilliseconds)
  const servers = toServers(options.servers, copies)
  const open = ({ address }: ServerOptions, maxBytes: number): Store =>
    createNode({ ...options, address: toAddress(address), maxBytes })
  const [only] = servers
  if (only !== undefined && servers.length === 1) return open(only, maxValueBytes)
  // With copies a version goes before the value.
  const maxBytes = copies === 1 ? maxValueBytes : maxValueBytes + headBytes
  const nodes = servers.map((server) => createPoolNode(server.name, open(server, maxBytes), clock))
  // The prefix decides nothing about where a key is: the nodes put it before the key themselves.
  return { name: `memcached on ${servers.length} nodes`, guarantees, ...createPool(nodes, copies) }
}

const guarantees: Guarantees = {
  compareAndSwap: 'all-processes',
  revocation: 'final',
  durability: 'volatile',
}

interface NodeOptions extends Omit<MemcachedStoreOptions, 'servers' | 'copies'> {
  readonly address: NetConnectOpts
  readonly maxBytes: number
}

function createNode(options: NodeOptions): Store {
  const { address, maxBytes, prefix = '', timeoutMilliseconds = 250, clock = systemClock } = options
  const connection = createConnection({ address, timeoutMilliseconds })

  async function ask(command: Command, expected: readonly MetaStatus[]): Promise<MetaAnswer | Unavailable> {
    try {
      const answer = await connection.send(command)
      if (expected.includes(answer.status)) return answer
      return {
        kind: 'unavailable',
        cause: new Error(`Memcached answered ${answer.status}, which makes no sense here.`),
      }
    } catch (cause) {
      return { kind: 'unavailable', cause }
    }
  }

  function exptimeOf(ttlSeconds: number): number {
    checkTtl(ttlSeconds)
    return ttlSeconds <= maxRelativeSeconds ? ttlSeconds : Math.floor(clock() / 1000) + ttlSeconds
  }

  function checked(value: Uint8Array): Uint8Array {
    checkValueSize(value, maxBytes)
    return value
  }

  function keyOf(key: string): string {
    checkKey(prefix + key)
    return prefix + key
  }

  return {
    name: 'memcached',
    guarantees,
    async read(key, ttlSeconds) {
      const [name, exptime] = [keyOf(key), ttlSeconds === null ? undefined : exptimeOf(ttlSeconds)]
      const answer = await ask({ line: (opaque) => encodeGet(name, exptime, opaque) }, ['VA', 'EN'])
      if ('kind' in answer) return answer
      return answer.status === 'EN'
        ? { kind: 'miss' }
        : { kind: 'hit', value: answer.value, token: answer.token }
    },
    async create(key, value, ttlSeconds) {
      const set = { key: keyOf(key), mode: 'add', exptime: exptimeOf(ttlSeconds) } as const
      const answer = await ask(setCommand(set, checked(value)), ['HD', 'NS'])
      if ('kind' in answer) return answer
      return { kind: answer.status === 'HD' ? 'stored' : 'exists' }
    },
    async replace(key, value, { token, ttlSeconds }) {
      if (!/^\d{1,20}$/.test(token))
        throw new SessionError('invalid-option', 'That token is not from a read.')
      const set = { key: keyOf(key), mode: 'swap', token, exptime: exptimeOf(ttlSeconds) } as const
      const answer = await ask(setCommand(set, checked(value)), ['HD', 'EX', 'NF'])
      if ('kind' in answer) return answer
      return { kind: answer.status === 'HD' ? 'stored' : answer.status === 'EX' ? 'conflict' : 'missing' }
    },
    async end(key, value, ttlSeconds) {
      const set = { key: keyOf(key), mode: 'set', exptime: exptimeOf(ttlSeconds) } as const
      const answer = await ask(setCommand(set, checked(value)), ['HD'])
      return 'kind' in answer ? answer : { kind: 'stored' }
    },
    async close() {
      connection.close()
    },
  }
}

function setCommand(set: Omit<SetCommand, 'bytes'>, value: Uint8Array): Command {
  return { line: (opaque) => encodeSet({ ...set, bytes: value.byteLength }, opaque), value }
}

function toServers(servers: MemcachedStoreOptions['servers'], copies: number): readonly ServerOptions[] {
  const list = (typeof servers === 'string' ? [servers] : servers).map((server) =>
    typeof server === 'string' ? { name: server, address: server } : server,
  )
  if (list.length === 0) throw invalid('servers is empty.')
  for (const { name } of list) {
    if (!/^[\w.:/[\]-]{1,200}$/.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a node.`)
  }
  if (new Set(list.map(({ name }) => name)).size !== list.length) throw invalid('Two servers have one name.')
  if (copies !== 1 && copies !== 2) throw invalid('copies is 1 or 2.')
  if (copies > list.length) throw invalid('Two copies need two servers.')
  return list
}

function toAddress(server: string): NetConnectOpts {
  if (server.startsWith('/')) return { path: server }
  const [, name = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(server) ?? []
  if (name === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(`servers takes "host:port" or the path of a socket, not ${JSON.stringify(server)}.`)
  }
  return { host: name.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function check(prefix: string, timeoutMilliseconds: number): void {
  if (!/^[A-Za-z0-9_:.-]{0,100}$/.test(prefix))
    throw invalid('prefix takes up to 100 letters, digits and _:.-')
  if (!Number.isSafeInteger(timeoutMilliseconds) || timeoutMilliseconds < 1 || timeoutMilliseconds > 60_000) {
    throw invalid('timeoutMilliseconds must be a whole number from 1 to 60000.')
  }
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
