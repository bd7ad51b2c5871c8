// A server for tests that says what the test wants it to, to every chunk that comes.
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'

export interface ScriptedServer {
  readonly address: string
  /** Connections so far, by `performance.now()`. */
  readonly connections: readonly number[]
  close(): Promise<void>
}

/** `answer` may write to the socket or close it; what it gives is written. */
export async function startScriptedServer(
  answer: (text: string, socket: Socket) => string | undefined,
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>()
  const connections: number[] = []
  const server = createServer((socket) => {
    connections.push(performance.now())
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      const said = answer(chunk.toString('latin1'), socket)
      if (said !== undefined && !socket.destroyed) socket.write(said, 'latin1')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
