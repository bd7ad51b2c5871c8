// What a server says of itself (`stats`), over a connection of its own: asked now and then, it must not wait behind
// operations, nor they behind it.
import type { Socket } from 'node:net'
import { Handshake, type HandshakeOptions } from './handshake.ts'

/** What a memcached says of itself. */
export interface ServerFigures {
  /** What the server calls its version: `1.6.18`. */
  readonly version: string
  /** Less than before: it was started anew. Not said by yrmcds. */
  readonly uptimeSeconds: number | undefined
  /** Connections that are open now, those of other programs among them. */
  readonly connections: number
  /** Items that it holds now. */
  readonly items: number
  /** What its items take, of `maxBytes`. */
  readonly bytes: number
  /** What its items may take (`-m`). */
  readonly maxBytes: number
  /** Items that were forgotten before their time, for lack of room. */
  readonly evictions: number
}

/** Far more than the two kilobytes of a memcached. */
const maxTextBytes = 64 * 1024

/**
 * Asks a server for its figures. Never rejects. Undefined when it does not answer within two deadlines, or its answer
 * lacks one of them, as that of a proxy does.
 */
export function askFigures(options: HandshakeOptions): Promise<ServerFigures | undefined> {
  return new Promise((resolve) => {
    const handshake = new Handshake(options, {
      onFail: () => resolve(undefined),
      onReady: (socket) => resolve(askStats(socket, options.timeoutMilliseconds)),
    })
    void handshake
  })
}

function askStats(socket: Socket, timeoutMilliseconds: number): Promise<ServerFigures | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const timer = setTimeout(finish, timeoutMilliseconds)
    function finish(): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(parseFigures(text))
    }
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.endsWith('END\r\n') || text.length > maxTextBytes) finish()
    })
    socket.on('error', finish).on('end', finish).on('close', finish)
    socket.write('stats\r\n')
  })
}

function parseFigures(text: string): ServerFigures | undefined {
  const said = new Map<string, string>()
  for (const [, name = '', value = ''] of text.matchAll(/^STAT (\S+) ([^\r\n]*)\r\n/gm)) said.set(name, value)
  const number = (name: string): number => Number(said.get(name) ?? Number.NaN)
  const figures = {
    version: said.get('version') ?? '',
    uptimeSeconds: said.has('uptime') ? number('uptime') : undefined,
    connections: number('curr_connections'),
    items: number('curr_items'),
    bytes: number('bytes'),
    maxBytes: number('limit_maxbytes'),
    evictions: number('evictions'),
  }
  const isWhole = text.endsWith('END\r\n') && !Object.values(figures).some(Number.isNaN)
  return isWhole ? figures : undefined
}
