// A socket to one memcached: TCP, Unix or TLS. Nothing may be written before `onOpen`: until then nobody knows
// whose certificate it is.
import { type Socket, connect, isIP } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** Options of `node:tls`, but for those that say where to connect to. */
export type TlsOptions = Omit<ConnectionOptions, 'socket' | 'host' | 'port' | 'path'>

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

export interface Endpoint {
  readonly address: Address
  /** `true`: with the system's certificate authorities. */
  readonly tls: TlsOptions | boolean
  /** For connecting, and all that comes before the first operation. */
  readonly timeoutMilliseconds: number
}

/** Firewalls forget silent connections, and then swallow what is sent: this often the system says that we are there. */
const keepAliveMilliseconds = 30_000

/**
 * Opens a socket and calls `onOpen` when it may be written to.
 * @throws what `node:tls` throws for options that it cannot use
 */
export function openSocket(endpoint: Endpoint, onOpen: () => void): Socket {
  const { address, tls } = endpoint
  const where =
    address.kind === 'unix'
      ? { path: address.path }
      : { host: address.host, port: address.port, ...attempts(endpoint) }
  const socket =
    tls === false
      ? connect(where)
      : connectTls({ ...serverNameOf(address), ...(tls === true ? {} : tls), ...where })
  socket.once(tls === false ? 'connect' : 'secureConnect', () => {
    if (address.kind === 'tcp') {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, keepAliveMilliseconds)
    }
    onOpen()
  })
  // Whoever uses the socket listens, too. This listener stays, so that a late error is never an uncaught one.
  socket.on('error', () => socket.destroy())
  return socket
}

/**
 * A name may have several addresses. Node tries one after another and gives each 250 ms by default, which is all that
 * connecting may take by default here: an address that is dead would keep all others from being tried.
 */
function attempts({ timeoutMilliseconds }: Endpoint): { readonly autoSelectFamilyAttemptTimeout: number } {
  return {
    autoSelectFamilyAttemptTimeout: Math.max(minAttemptMilliseconds, Math.floor(timeoutMilliseconds / 5)),
  }
}

/** Node takes no less. */
const minAttemptMilliseconds = 10

/** The name that the certificate must have; an IP address is no server name. */
function serverNameOf(address: Address): TlsOptions {
  return address.kind === 'tcp' && isIP(address.host) === 0 ? { servername: address.host } : {}
}
