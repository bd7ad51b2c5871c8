// A client that costs little CPU time: keep-alive connections on raw sockets, each with one request at a time, whose bytes
// were prepared.
import { type Socket, connect } from 'node:net'

export interface LoadOptions {
  readonly port: number
  /** Whole requests as bytes. The connections take them in turn. */
  readonly requests: readonly Buffer[]
  readonly connections: number
  readonly milliseconds: number
  /** The status and the body that every answer must have. */
  readonly expected: { readonly status: number; readonly body?: string }
}

export interface LoadResult {
  readonly count: number
  readonly seconds: number
  /** Milliseconds from request to answer. */
  readonly p50: number
  readonly p99: number
}

/** @throws Error for the first answer that is not as expected */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const started = performance.now()
  const until = started + options.milliseconds
  const times: number[] = []
  let turn = 0
  const next = (): Buffer => options.requests[turn++ % options.requests.length] ?? Buffer.alloc(0)
  await Promise.all(
    Array.from({ length: options.connections }, () => {
      const client = new Client(options.port)
      return client.run({ next, until, times, expected: options.expected })
    }),
  )
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  return { count: times.length, seconds: (performance.now() - started) / 1000, p50: at(0.5), p99: at(0.99) }
}

interface Run {
  next(): Buffer
  readonly until: number
  readonly times: number[]
  readonly expected: LoadOptions['expected']
}

/** One connection. An answer ends by its Content-Length, or by its last chunk when it has none. */
class Client {
  readonly #socket: Socket
  #unread = ''

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true)
  }

  run({ next, until, times, expected }: Run): Promise<void> {
    return new Promise((resolve, reject) => {
      let sent = 0
      const send = (): void => {
        if (performance.now() >= until) {
          this.#socket.destroy()
          resolve()
          return
        }
        sent = performance.now()
        this.#socket.write(next())
      }
      this.#socket.on('error', reject)
      this.#socket.on('data', (chunk) => {
        this.#unread += chunk.toString('latin1')
        const answer = takeAnswer(this.#unread)
        if (answer === undefined) return
        this.#unread = this.#unread.slice(answer.length)
        if (
          answer.status !== expected.status ||
          (expected.body !== undefined && !answer.body.includes(expected.body))
        ) {
          this.#socket.destroy()
          reject(new Error(`${answer.status} ${answer.body.slice(0, 200)}`))
          return
        }
        times.push(performance.now() - sent)
        send()
      })
      send()
    })
  }
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly length: number
}

function takeAnswer(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = text.slice(0, end)
  const status = Number(head.slice(9, 12))
  const size = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (size !== undefined) {
    const length = end + 4 + Number(size)
    return text.length < length ? undefined : { status, body: text.slice(end + 4, length), length }
  }
  if (status === 304 || status === 204) return { status, body: '', length: end + 4 }
  const last = text.indexOf('0\r\n\r\n', end + 4)
  return last === -1 ? undefined : { status, body: text.slice(end + 4, last), length: last + 5 }
}
