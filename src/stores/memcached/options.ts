// The options of the Memcached store, checked at the start: a mistake in them must not look like a node that is
// away.
import type { NetConnectOpts } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../../protocol/clock.ts'
import { SessionError } from '../../protocol/errors.ts'
import type { ServerClientOptions } from './server-client.ts'
import type { TlsOptions } from './socket.ts'

export interface ServerOptions {
  /** Decides which keys are here. */
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
  /**
   * `classic` for engines without the meta commands (twemproxy); `auto` finds out with every new
   * connection, and costs one trip then. @default 'auto'
   */
  readonly dialect?: 'auto' | 'meta' | 'classic'
  /** Encrypted, with a certificate that an authority has signed; or with these options of `node:tls`. @default false */
  readonly tls?: boolean | TlsOptions
  /** For a memcached with `-Y`. Without `tls` they cross the network as they are. */
  readonly username?: string
  readonly password?: string
  /** More operations at once are unavailable. @default 2000 */
  readonly maxInFlight?: number
  /** More bytes than these that the network does not take are unavailable. @default 16 MiB */
  readonly maxQueuedBytes?: number
  /** Milliseconds since 1970, for lifetimes above 30 days. @default the system's */
  readonly clock?: Clock
}

/** @throws SessionError `invalid-option` */
export function toServers({ servers, copies = 1 }: MemcachedStoreOptions): readonly ServerOptions[] {
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

/** @throws SessionError `invalid-option` */
export function toClientOptions(
  options: Omit<MemcachedStoreOptions, 'servers'>,
  address: string,
): ServerClientOptions {
  const { dialect = 'auto', timeoutMilliseconds = 250 } = options
  const { maxInFlight = 2000, maxQueuedBytes = 16 * 1024 * 1024 } = options
  if (!['auto', 'meta', 'classic'].includes(dialect)) throw invalid('dialect is auto, meta or classic.')
  checkWhole('timeoutMilliseconds', timeoutMilliseconds, 60_000)
  checkWhole('maxInFlight', maxInFlight, 1_000_000)
  checkWhole('maxQueuedBytes', maxQueuedBytes, 2 ** 32)
  return {
    address: toAddress(address),
    tls: toTls(options.tls ?? false),
    login: toLogin(options),
    dialect,
    timeoutMilliseconds,
    maxInFlight,
    maxQueuedBytes,
  }
}

/** @throws SessionError `invalid-option` */
export function checkPrefix(prefix: string): void {
  if (/^[A-Za-z0-9_:.-]{0,100}$/.test(prefix)) return
  throw invalid('prefix takes up to 100 letters, digits and _:.-')
}

function toAddress(server: string): NetConnectOpts {
  if (server.startsWith('/')) return { path: server }
  const [, name = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(server) ?? []
  if (name === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(`servers takes "host:port" or the path of a socket, not ${JSON.stringify(server)}.`)
  }
  return { host: name.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Certificates are read once, so that a wrong one is an error now and not with every connection. */
function toTls(tls: boolean | TlsOptions): boolean | TlsOptions {
  if (typeof tls === 'boolean') return tls
  try {
    return { secureContext: createSecureContext(tls), ...tls }
  } catch (cause) {
    throw new SessionError('invalid-option', 'tls has a key or a certificate that cannot be read.', { cause })
  }
}

/** Memcached reads at most this much of a line in its file of passwords. */
const maxLoginBytes = 250

function toLogin({
  username,
  password,
}: Pick<MemcachedStoreOptions, 'username' | 'password'>): string | undefined {
  if (username === undefined && password === undefined) return undefined
  if (username === undefined || password === undefined) throw invalid('username and password go together.')
  // A space or a colon would end the name, and a line break the command.
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(username))
    throw invalid('username has a letter that memcached does not take.')
  // Memcached 1.6.18 lets nobody in whose password has a space.
  if (!/^[^\s\0]+$/.test(password)) throw invalid('password is empty or has a space or a line break.')
  const login = Buffer.from(`${username} ${password}`).toString('latin1')
  if (login.length > maxLoginBytes)
    throw invalid(`username and password take ${maxLoginBytes} bytes together.`)
  return login
}

function checkWhole(name: string, value: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return
  throw invalid(`${name} must be a whole number from 1 to ${most}.`)
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
