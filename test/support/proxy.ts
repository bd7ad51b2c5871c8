// A TCP proxy for tests, which can cut, swallow or rewrite what the server sends.
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

export interface Proxy {
  readonly address: string
  /** What becomes of the server's bytes; `cut` ends the connection after them. */
  rewrite: (chunk: Buffer, cut: () => void) => Buffer
  /** Connections so far. */
  readonly connections: number
  close(): Promise<void>
}

export async function startProxy(target: string): Promise<Proxy> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((near) => {
    connections++
    const far = connect(Number(port), host)
    const cut = (): void => {
      near.destroySoon()
      far.destroy()
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.on('data', (chunk) => near.write(proxy.rewrite(chunk, cut)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: Proxy = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    rewrite: (chunk) => chunk,
    get connections() {
      return connections
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return proxy
}
