// One socket that carries operations, with its parser, to its end. Any surprise (a cut, a late reply, a wrong byte,
// the reply to another command) fails all that is in flight and drops socket and parser together: no byte is ever
// read as the reply to another command.
import type { Socket } from 'node:net'
import type { Unavailable } from '../store.ts'
import type { Command, Dialect, Parser, Reply } from './dialect.ts'
import { createFifo } from './fifo.ts'
import { MemcachedError, misplaced } from './memcached-error.ts'
import { SocketWriter } from './socket-writer.ts'

/** One command on its way to its reply. */
export interface Operation {
  readonly command: Command
  /** Never used twice for one server: the reply to an old command cannot pass for that to a new one. */
  readonly opaque: string
  /** By `performance.now()`, like `deadline`. */
  readonly startedAt: number
  readonly deadline: number
  resolve(outcome: Reply | Unavailable): void
}

export interface PipelineOptions {
  /** Open, and nobody listens to it. */
  readonly socket: Socket
  readonly dialect: Dialect
  /** Called once for each operation; `at` is by `performance.now()`. */
  settle(operation: Operation, outcome: Reply | Unavailable, at: number): void
  /** Called once, before the operations in flight fail. `hasAnswered`: it gave at least one good reply. */
  onEnd(error: MemcachedError, hasAnswered: boolean): void
}

export class Pipeline {
  readonly #socket: Socket
  readonly #dialect: Dialect
  readonly #parser: Parser
  readonly #writer: SocketWriter
  readonly #events: Pick<PipelineOptions, 'settle' | 'onEnd'>
  readonly #operations = createFifo<Operation>()
  #hasAnswered = false
  #isEnded = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor({ socket, dialect, ...events }: PipelineOptions) {
    this.#socket = socket
    this.#dialect = dialect
    this.#parser = dialect.createParser()
    this.#writer = new SocketWriter(socket)
    this.#events = events
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.end(new MemcachedError('cut', error.message, error)))
    for (const event of ['end', 'close']) {
      socket.on(event, () => this.end(new MemcachedError('cut', 'Memcached closed the connection.')))
    }
    socket.unref()
  }

  /** Operations that wait for their replies. */
  get inFlight(): number {
    return this.#operations.size
  }

  /** Bytes that the system did not take yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.#writer.bytes
  }

  /** Sends an operation. It is settled by its deadline, whatever happens. */
  send(operation: Operation): void {
    // An idle connection does not keep the process alive; one that is waited for does.
    if (this.#operations.size === 0) this.#socket.ref()
    this.#operations.push(operation)
    const { command, opaque } = operation
    const value = command.kind === 'get' ? undefined : command.value
    this.#writer.write(this.#dialect.encode(command, opaque), value)
    this.#watchDeadline()
  }

  /** Closes the socket and fails what is in flight. Repeated: does nothing. */
  end(error: MemcachedError): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#events.onEnd(error, this.#hasAnswered)
    const outcome: Unavailable = { kind: 'unavailable', cause: error }
    const at = performance.now()
    for (const operation of this.#operations.drain()) this.#events.settle(operation, outcome, at)
  }

  #read(chunk: Buffer): void {
    if (this.#isEnded) return
    try {
      this.#parser.push(chunk)
      this.#settleAll()
    } catch (error) {
      this.end(error instanceof MemcachedError ? error : new MemcachedError('protocol', String(error), error))
    }
  }

  #settleAll(): void {
    const at = performance.now()
    const operations = this.#operations
    for (let oldest = operations.peek(); oldest !== undefined; oldest = operations.peek()) {
      const reply = this.#parser.take(oldest.command, oldest.opaque)
      if (reply === undefined) return
      operations.shift()
      this.#hasAnswered = true
      this.#events.settle(oldest, reply, at)
    }
    if (this.#parser.unread > 0) throw misplaced()
    this.#socket.unref()
  }

  /** One timer for all: operations end in the order of their deadlines. */
  #watchDeadline(): void {
    if (this.#timer !== undefined) return
    const oldest = this.#operations.peek()
    if (oldest === undefined) return
    const milliseconds = Math.max(1, Math.ceil(oldest.deadline - performance.now()))
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // When this process itself was busy, replies may lie unread in the socket: they are read first.
      setImmediate(() => this.#checkDeadline())
    }, milliseconds)
    // The socket keeps the process alive while something is in flight; the timer alone must not.
    this.#timer.unref()
  }

  #checkDeadline(): void {
    const oldest = this.#operations.peek()
    if (oldest !== undefined && oldest.deadline <= performance.now()) {
      this.end(new MemcachedError('timeout', 'Memcached did not answer in time.'))
    } else this.#watchDeadline()
  }
}
