// One pipelined connection to one memcached. An operation ends with its own answer or with a failure, always
// within its deadline. Any surprise (a cut, a late answer, a wrong byte, another one's answer) fails all that is
// in flight and drops socket and parser together: no byte is ever read as the answer to another question.
import { type NetConnectOpts, type Socket, connect } from 'node:net'
import { type MetaAnswer, MetaError, createMetaParser } from './meta.ts'

export interface ConnectionOptions {
  readonly address: NetConnectOpts
  /** For each operation, connecting included. */
  readonly timeoutMilliseconds: number
}

/** One command: its line, made with the opaque that will come back, and the value if it carries one. */
export interface Command {
  line(opaque: string): string
  readonly value?: Uint8Array
}

export interface Connection {
  /** Rejects when the answer did not come; it may have been carried out or not. */
  send(command: Command): Promise<MetaAnswer>
  close(): void
}

interface Operation {
  readonly opaque: string
  readonly deadline: number
  resolve(answer: MetaAnswer): void
  reject(error: Error): void
}

/** More at once means that the server or this process cannot keep up; waiting would only make it worse. */
const maxInFlight = 4096
/** Milliseconds without a new attempt after failures in a row: 0, 25, 50, 100 ... up to a second. */
const backOffStep = 25
const maxBackOff = 1000

export function createConnection({ address, timeoutMilliseconds }: ConnectionOptions): Connection {
  let link: Link | undefined
  let failures = 0
  let nextAttempt = 0
  let opaques = 0
  let isClosed = false

  function onEnd(ended: Link, hasWorked: boolean): void {
    if (link === ended) link = undefined
    failures = hasWorked ? 0 : failures + 1
    const step = failures === 0 ? 0 : backOffStep * 2 ** (failures - 1)
    // Jitter, so that many processes do not come back in the same moment.
    nextAttempt = performance.now() + Math.min(step, maxBackOff) * (0.5 + Math.random() / 2)
  }

  return {
    send(command) {
      if (isClosed) return Promise.reject(new Error('The connection was closed.'))
      if (link === undefined && performance.now() < nextAttempt) {
        return Promise.reject(new Error('Memcached failed a moment ago.'))
      }
      link ??= createLink({ address, timeoutMilliseconds, onEnd })
      // Never used twice in one process: the answer to an old question cannot pass for that to a new one.
      return link.send(command, (++opaques).toString(36))
    },
    close() {
      isClosed = true
      link?.end(new Error('The connection was closed.'))
    },
  }
}

interface LinkOptions extends ConnectionOptions {
  /** `hasWorked`: it gave at least one good answer. */
  onEnd(link: Link, hasWorked: boolean): void
}

interface Link {
  send(command: Command, opaque: string): Promise<MetaAnswer>
  end(error: Error): void
}

/** One socket with its parser, from connecting to its end. */
function createLink({ address, timeoutMilliseconds, onEnd }: LinkOptions): Link {
  const parser = createMetaParser()
  const inFlight = new Set<Operation>()
  let hasWorked = false
  let isEnded = false
  let isCorked = false
  let watch: ReturnType<typeof setTimeout> | undefined

  const socket: Socket = connect(address)
  socket.setNoDelay(true)
  socket.on('data', (chunk) => read(chunk))
  socket.on('error', (error) => end(error))
  socket.on('close', () => end(new Error('Memcached closed the connection.')))

  function end(error: Error): void {
    if (isEnded) return
    isEnded = true
    clearTimeout(watch)
    socket.destroy()
    onEnd(link, hasWorked)
    for (const operation of inFlight) operation.reject(error)
    inFlight.clear()
  }

  function read(chunk: Buffer): void {
    if (isEnded) return
    try {
      for (const answer of parser.feed(chunk)) settle(answer)
    } catch (error) {
      end(error instanceof Error ? error : new MetaError(String(error)))
    }
  }

  function settle(answer: MetaAnswer): void {
    // A Set keeps its order: the first is the oldest, whose turn it is.
    const [operation] = inFlight
    if (operation?.opaque !== answer.opaque) throw new MetaError('An answer came that was not asked for.')
    inFlight.delete(operation)
    hasWorked = true
    operation.resolve(answer)
    if (inFlight.size === 0) socket.unref()
  }

  /** One timer for all: operations end in the order of their deadlines. */
  function watchDeadline(): void {
    if (watch !== undefined) return
    const [oldest] = inFlight
    if (oldest === undefined) return
    const delay = Math.max(1, Math.ceil(oldest.deadline - performance.now()))
    watch = setTimeout(() => {
      watch = undefined
      // When this process itself was busy, answers may lie unread in the socket: they are read first.
      setImmediate(checkDeadline)
    }, delay)
    // The socket keeps the process alive while something is in flight; the watch alone must not.
    watch.unref()
  }

  function checkDeadline(): void {
    const [oldest] = inFlight
    if (oldest !== undefined && oldest.deadline <= performance.now()) {
      end(new Error(`Memcached did not answer within ${timeoutMilliseconds} ms.`))
    } else watchDeadline()
  }

  /** What is written in one turn of the event loop leaves in one packet. */
  function write({ line, value }: Command, opaque: string): void {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      process.nextTick(() => {
        isCorked = false
        socket.uncork()
      })
    }
    socket.write(line(opaque), 'latin1')
    if (value === undefined) return
    socket.write(value)
    socket.write('\r\n', 'latin1')
  }

  const link: Link = {
    send: (command, opaque) =>
      new Promise((resolve, reject) => {
        if (inFlight.size >= maxInFlight) {
          reject(new Error('Too many operations wait for memcached.'))
          return
        }
        // An idle connection does not keep the process alive; one that is waited for does.
        if (inFlight.size === 0) socket.ref()
        inFlight.add({ opaque, deadline: performance.now() + timeoutMilliseconds, resolve, reject })
        write(command, opaque)
        watchDeadline()
      }),
    end,
  }
  return link
}
