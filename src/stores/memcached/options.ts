// The options of the Memcached store, checked at the start: a mistake in them must not look like a server that is
// away.
import { createSecureContext } from 'node:tls'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  either,
  flag,
  number,
  object,
  oneOf,
  secretText,
  text,
} from '../../protocol/check-options.ts'
import { SessionError } from '../../protocol/errors.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import { lifeHints, maxValueBytes } from '../argument-checks.ts'
import { maxItemBytes } from './dialect.ts'
import type { ServerClientOptions } from './server-client.ts'
import type { Address, TlsOptions } from './socket.ts'

/** One memcached of several. */
export interface ServerOptions {
  /**
   * Decides which keys are here. 1 to 200 characters of `A-Z a-z 0-9 _ . : / [ ] -`, each name once. Keep it when the
   * server moves to another address.
   */
  readonly name: string
  /** `host:port`, `[::1]:11211` or the path of a Unix socket. */
  readonly address: string
}

/** The options of `memcachedStore`. `servers` is needed. */
export interface MemcachedStoreOptions {
  /**
   * `host:port`, `[::1]:11211` or the path of a Unix socket. Of several servers each has its share of the keys, which its
   * name decides. @default name: the address
   */
  readonly servers: string | readonly (string | ServerOptions)[]
  /** On how many servers each session is. With 2 it outlives the loss of one. @default 1 */
  readonly copies?: 1 | 2
  /** Goes before every key, so that two apps can share one memcached; up to 100 characters of a key. @default '' */
  readonly prefix?: string
  /** For each operation, connecting included; from 1 to 60,000. @default 250 */
  readonly timeoutMilliseconds?: number
  /**
   * `classic` for engines without the meta commands (twemproxy); `auto` finds that out with every new
   * connection, and costs one trip then. @default 'auto'
   */
  readonly dialect?: 'auto' | 'meta' | 'classic'
  /**
   * `true`: encrypted, with a certificate that an authority of the system has signed. Or the options of `node:tls`.
   * @default false
   */
  readonly tls?: boolean | TlsOptions
  /** For a memcached with `-Y`, together with `password`. Without `tls` both cross the network as they are. @default none */
  readonly username?: string
  /** For a memcached with `-Y`, together with `username`. @default none */
  readonly password?: string
  /** More operations at once on one server are unavailable; from 1 to 1,000,000. @default 2000 */
  readonly maxInFlight?: number
  /** More bytes than these that the network does not take are unavailable; up to 4 GiB. @default 16 MiB */
  readonly maxQueuedBytes?: number
  /** Milliseconds since 1970, for lifetimes above 30 days. @default the system's */
  readonly clock?: Clock
}

const storeChecks: ChecksOf<MemcachedStoreOptions> = {
  servers: {
    wanted: 'host:port, the path of a socket, or a list of them',
    isSecret: false,
    accepts: (value) => typeof value === 'string' || Array.isArray(value),
  },
  copies: oneOf(1, 2),
  prefix: text,
  timeoutMilliseconds: number,
  dialect: oneOf('auto', 'meta', 'classic'),
  tls: either(flag, object),
  username: text,
  password: secretText,
  maxInFlight: number,
  maxQueuedBytes: number,
  clock: callback,
}
const serversHint = "write servers, as in servers: '127.0.0.1:11211'"
const storeOptions: KnownOptions = {
  checks: storeChecks,
  needed: ['servers'],
  hints: {
    ...lifeHints,
    host: serversHint,
    hosts: serversHint,
    hostname: serversHint,
    port: serversHint,
    url: serversHint,
    address: serversHint,
    addresses: serversHint,
    location: serversHint,
    nodes: serversHint,
    client: serversHint,
    path: serversHint,
    keyPrefix: 'write prefix',
    namespace: 'write prefix',
    replicas: 'write copies',
    replication: 'write copies',
    timeout: 'write timeoutMilliseconds',
    connectTimeout: 'write timeoutMilliseconds',
    retries: 'an operation is tried once, so that a session is never stored twice',
    user: 'write username',
    pass: 'write password',
    ssl: 'write tls',
    protocol: 'write dialect',
    secret: 'secrets is an option of createSessions',
  },
}
const serverChecks: ChecksOf<ServerOptions> = { name: text, address: text }
const serverOptions: KnownOptions = {
  checks: serverChecks,
  needed: ['name', 'address'],
  hints: { host: "write address: 'host:port'", port: "write address: 'host:port'" },
}

function checkServer(server: ServerOptions): ServerOptions {
  checkOptions('memcachedStore: an item of servers', server, serverOptions)
  return server
}

/**
 * The servers, with their names.
 * @throws SessionError `invalid-option`
 */
export function toServers(options: MemcachedStoreOptions): readonly [ServerOptions, ...ServerOptions[]] {
  checkOptions('memcachedStore', options, storeOptions)
  const { servers, copies = 1 } = options
  const [first, ...others] = (typeof servers === 'string' ? [servers] : servers).map((server) =>
    typeof server === 'string' ? { name: server, address: server } : checkServer(server),
  )
  if (first === undefined) throw invalid('servers is empty: name at least one memcached.')
  const list = [first, ...others] as const
  for (const { name } of list) {
    if (!/^[\w.:/[\]-]{1,200}$/.test(name)) {
      throw invalid(
        `servers has the name ${JSON.stringify(name)}, which has a character that no name may have.`,
      )
    }
  }
  if (new Set(list.map(({ name }) => name)).size !== list.length) {
    throw invalid('servers has one name twice: each memcached needs a name of its own.')
  }
  if (copies > list.length) throw invalid('copies: 2 needs two servers, and there is one.')
  return list
}

/**
 * The options of the client of one server.
 * @throws SessionError `invalid-option`
 */
export function toClientOptions(
  options: Omit<MemcachedStoreOptions, 'servers'>,
  address: string,
): ServerClientOptions {
  const { dialect = 'auto', timeoutMilliseconds = 250, copies = 1, clock = systemClock } = options
  const { maxInFlight = 2000, maxQueuedBytes = 16 * 1024 * 1024 } = options
  checkWholeNumber('timeoutMilliseconds', timeoutMilliseconds, { from: 1, to: 60_000 })
  checkWholeNumber('maxInFlight', maxInFlight, { from: 1, to: 1_000_000 })
  checkWholeNumber('maxQueuedBytes', maxQueuedBytes, { from: 1, to: 2 ** 32 })
  return {
    address: toAddress(address),
    tls: toTls(options.tls ?? false),
    login: toLogin(options),
    prefix: toPrefix(options.prefix ?? ''),
    dialect,
    timeoutMilliseconds,
    maxInFlight,
    maxQueuedBytes,
    clock,
    // The pool has checked the value before it put a version before it.
    maxBytes: copies === 1 ? maxValueBytes : maxItemBytes,
  }
}

function toPrefix(prefix: string): string {
  if (/^[A-Za-z0-9_:.-]{0,100}$/.test(prefix)) return prefix
  throw invalid(
    `prefix must have up to 100 characters of A-Z a-z 0-9 _ : . -, and ${JSON.stringify(prefix)} has others or more.`,
  )
}

function toAddress(server: string): Address {
  if (server.startsWith('/')) return { kind: 'unix', path: server }
  const [, host = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(server) ?? []
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(`servers takes "host:port" or the path of a socket, not ${JSON.stringify(server)}.`)
  }
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Certificates are read once, so that a wrong one is an error now and not with every connection. */
function toTls(tls: boolean | TlsOptions): boolean | TlsOptions {
  if (typeof tls === 'boolean') return tls
  try {
    return { secureContext: createSecureContext(tls), ...tls }
  } catch (cause) {
    throw new SessionError(
      'invalid-option',
      `tls has a key or a certificate that cannot be read: ${String(cause)}`,
      { cause },
    )
  }
}

/** Memcached reads at most this much of a line in its file of passwords. */
const maxLoginBytes = 250

function toLogin({
  username,
  password,
}: Pick<MemcachedStoreOptions, 'username' | 'password'>): string | undefined {
  if (username === undefined && password === undefined) return undefined
  if (username === undefined || password === undefined) {
    throw invalid('username and password go together, and one of them is missing.')
  }
  // A space or a colon would end the name, and a line break the command.
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(username)) {
    throw invalid(
      `username must be visible ASCII without spaces and colons, and ${JSON.stringify(username)} is not.`,
    )
  }
  // Memcached 1.6.18 lets nobody in whose password has a space.
  if (!/^[^\s\0]+$/.test(password)) {
    throw invalid('password is empty, or has a space or a line break, which memcached does not take.')
  }
  const login = Buffer.from(`${username} ${password}`).toString('latin1')
  if (login.length > maxLoginBytes) {
    throw invalid(`username and password may take ${maxLoginBytes} bytes together, not ${login.length}.`)
  }
  return login
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
