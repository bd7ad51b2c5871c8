// A socket to one memcached: TCP, Unix or TLS. Nothing may be written before `onOpen`: until then nobody knows
// whose certificate it is.
import { type NetConnectOpts, type Socket, connect, isIP } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** All but where to connect to. */
export type TlsOptions = Omit<ConnectionOptions, 'socket' | 'host' | 'port' | 'path'>

export interface Endpoint {
  readonly address: NetConnectOpts
  /** `true`: with the system's certificate authorities. */
  readonly tls: TlsOptions | boolean
}

/** Says now and then that we are still there: firewalls forget silent connections, and then swallow them. */
const keepAliveDelay = 30_000

export function openSocket({ address, tls }: Endpoint, onOpen: () => void): Socket {
  const socket =
    tls === false ? connect(address) : connectTls({ ...nameOf(address), ...optionsOf(tls), ...address })
  socket.once(tls === false ? 'connect' : 'secureConnect', () => {
    if ('port' in address) {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, keepAliveDelay)
    }
    onOpen()
  })
  // Whoever uses the socket listens too. This one stays, so that a late error is never an uncaught one.
  socket.on('error', () => socket.destroy())
  return socket
}

function optionsOf(tls: TlsOptions | true): TlsOptions {
  return tls === true ? {} : tls
}

/** The name that the certificate must have; an IP address is no server name. */
function nameOf(address: NetConnectOpts): TlsOptions {
  return 'host' in address && address.host !== undefined && isIP(address.host) === 0
    ? { servername: address.host }
    : {}
}
