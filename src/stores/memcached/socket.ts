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
}

/** Firewalls forget silent connections, and then swallow what is sent: this often the system says that we are there. */
const keepAliveMilliseconds = 30_000

/**
 * Opens a socket and calls `onOpen` when it may be written to.
 * @throws what `node:tls` throws for options that it cannot use
 */
export function openSocket({ address, tls }: Endpoint, onOpen: () => void): Socket {
  const where = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
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

/** The name that the certificate must have; an IP address is no server name. */
function serverNameOf(address: Address): TlsOptions {
  return address.kind === 'tcp' && isIP(address.host) === 0 ? { servername: address.host } : {}
}
