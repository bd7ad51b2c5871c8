// What a server says of itself (`stats`), over a connection of its own: asked now and then, it must not wait
// behind operations, nor they behind it.
import { type HandshakeOptions, shakeHands } from './handshake.ts'

export interface ServerFigures {
  readonly version: string
  /** Less than before: it was started anew. Not said by yrmcds. */
  readonly uptimeSeconds: number | undefined
  readonly connections: number
  readonly items: number
  /** Of `maxBytes` (`-m`). */
  readonly bytes: number
  readonly maxBytes: number
  /** Items that were forgotten before their time, for lack of room. */
  readonly evictions: number
}

/** Far more than the two kilobytes of a memcached. */
const maxBytes = 64 * 1024

/** Never rejects. Undefined when there is no answer within the deadline, or none that has these figures. */
export function askFigures(options: HandshakeOptions): Promise<ServerFigures | undefined> {
  return new Promise((resolve) => {
    shakeHands(options, {
      onFail: () => resolve(undefined),
      onReady(socket) {
        let text = ''
        const timer = setTimeout(finish, options.timeoutMilliseconds)
        function finish(): void {
          clearTimeout(timer)
          socket.destroy()
          resolve(parseFigures(text))
        }
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1')
          if (text.endsWith('END\r\n') || text.length > maxBytes) finish()
        })
        socket.on('error', finish).on('end', finish).on('close', finish)
        socket.write('stats\r\n')
      },
    })
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
