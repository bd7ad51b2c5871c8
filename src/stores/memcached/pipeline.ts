// One socket that carries operations, with its parser, to its end. Any unexpected (a cut, a late answer, a wrong
// byte, another one's answer) fails all that is in flight and drops socket and parser together: no byte is ever
// read as the answer to another question.
import type { Socket } from 'node:net'
import type { Unavailable } from '../store.ts'
import type { Reply, Command, Dialect } from './dialect.ts'
import { MemcachedError } from './memcached-error.ts'
import { createSocketWriter } from './socket-writer.ts'
import { createFifo } from './fifo.ts'

/** One question on its way to its answer. */
export interface Operation {
  readonly command: Command
  /** Never used twice for one node: an answer to an old question cannot pass for that to a new one. */
  readonly opaque: string
  /** By `performance.now()`. */
  readonly startedAt: number
  readonly deadline: number
  resolve(outcome: Reply | Unavailable): void
}

export interface PipelineOptions {
  readonly socket: Socket
  readonly dialect: Dialect
  /** Called once for each operation; `at` is by `performance.now()`. */
  settle(operation: Operation, outcome: Reply | Unavailable, at: number): void
  /** Called once, before the operations in flight fail. `hasAnswered`: it gave at least one good answer. */
  onEnd(error: MemcachedError, hasAnswered: boolean): void
}

export interface Pipeline {
  readonly inFlight: number
  /** Bytes that the system did not take yet. */
  readonly queuedBytes: number
  send(operation: Operation): void
  end(error: MemcachedError): void
}

/** Takes over an open socket that nobody listens to. */
export function createPipeline({ socket, dialect, settle, onEnd }: PipelineOptions): Pipeline {
  const parser = dialect.createParser()
  const operations = createFifo<Operation>()
  let hasAnswered = false
  let isEnded = false
  let watch: ReturnType<typeof setTimeout> | undefined

  socket.on('data', read)
  socket.on('error', (error) => end(new MemcachedError('cut', error.message, error)))
  for (const event of ['end', 'close']) {
    socket.on(event, () => end(new MemcachedError('cut', 'Memcached closed the connection.')))
  }
  socket.unref()

  function end(error: MemcachedError): void {
    if (isEnded) return
    isEnded = true
    clearTimeout(watch)
    socket.destroy()
    onEnd(error, hasAnswered)
    const outcome: Unavailable = { kind: 'unavailable', cause: error }
    const at = performance.now()
    for (const operation of operations.drain()) settle(operation, outcome, at)
  }

  function read(chunk: Buffer): void {
    if (isEnded) return
    try {
      parser.push(chunk)
      settleAll()
    } catch (error) {
      end(error instanceof MemcachedError ? error : new MemcachedError('protocol', String(error), error))
    }
  }

  function settleAll(): void {
    const at = performance.now()
    for (let oldest = operations.peek(); oldest !== undefined; oldest = operations.peek()) {
      const answer = parser.take(oldest.command, oldest.opaque)
      if (answer === undefined) return
      operations.shift()
      hasAnswered = true
      settle(oldest, answer, at)
    }
    if (parser.unread > 0) throw new MemcachedError('protocol', 'An answer came that was not asked for.')
    socket.unref()
  }

  /** One timer for all: operations end in the order of their deadlines. */
  function watchDeadline(): void {
    if (watch !== undefined) return
    const oldest = operations.peek()
    if (oldest === undefined) return
    watch = setTimeout(
      () => {
        watch = undefined
        // When this process itself was busy, answers may lie unread in the socket: they are read first.
        setImmediate(checkDeadline)
      },
      Math.max(1, Math.ceil(oldest.deadline - performance.now())),
    )
    // The socket keeps the process alive while something is in flight; the watch alone must not.
    watch.unref()
  }

  function checkDeadline(): void {
    const oldest = operations.peek()
    if (oldest !== undefined && oldest.deadline <= performance.now()) {
      end(new MemcachedError('timeout', 'Memcached did not answer in time.'))
    } else watchDeadline()
  }

  const outgoing = createSocketWriter(socket, () => isEnded)

  return {
    get inFlight() {
      return operations.size
    },
    get queuedBytes() {
      return socket.writableLength + outgoing.bytes
    },
    send(operation) {
      // An idle connection does not keep the process alive; one that is waited for does.
      if (operations.size === 0) socket.ref()
      operations.push(operation)
      const { command, opaque } = operation
      outgoing.write(dialect.encode(command, opaque), command.kind === 'get' ? undefined : command.value)
      watchDeadline()
    },
    end,
  }
}
