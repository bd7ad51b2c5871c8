// One pipelined connection to one memcached, made with the first operation and again after a failure. A circuit
// breaker keeps away from a server that fails: operations fail at once, and now and then one of them tries.
import type { Socket } from 'node:net'
import type { Unavailable } from '../store.ts'
import type { Command, Dialect, Reply } from './dialect.ts'
import { createFifo } from './fifo.ts'
import { Handshake, type HandshakeOptions } from './handshake.ts'
import { MemcachedError } from './memcached-error.ts'
import { type Operation, Pipeline } from './pipeline.ts'

export interface ConnectionOptions extends HandshakeOptions {
  /** More operations than this at once fail at once: waiting would only make it worse. */
  readonly maxInFlight: number
  /** The same for bytes that the system does not take. */
  readonly maxQueuedBytes: number
  readonly watch?: ConnectionWatch
}

/** Counts what happens. Part of the connection, because a promise around each operation would cost a tenth of it. */
export interface ConnectionWatch {
  connected(dialect: Dialect['name']): void
  began(): void
  ended(outcome: Reply | Unavailable, milliseconds: number): void
}

/** After failures in a row nothing is tried for this long, doubled each time and with jitter: 50 to 2000. */
const firstRestMilliseconds = 50
const longestRestMilliseconds = 1000
/** A connection that held this long was a good one: its end begins the count of failures anew. */
const longConnectionMilliseconds = 1000

export class Connection {
  readonly #options: ConnectionOptions
  /** Operations that came before there was a pipeline. */
  readonly #waiting = createFifo<Operation>()
  #waitingBytes = 0
  #pipeline: Pipeline | undefined
  #handshake: Handshake | undefined
  #failures = 0
  /** By `performance.now()`; zero: no attempt has failed since the last good one. */
  #restUntil = 0
  #lastError: MemcachedError | undefined
  #lastOpaque = 0
  #isClosed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /**
   * Never rejects, and resolves by the deadline. Where it is unavailable, the cause's code says whether the operation
   * may have been carried out.
   */
  ask(command: Command): Promise<Reply | Unavailable> {
    return new Promise((resolve) => {
      const startedAt = performance.now()
      const opaque = this.#opaqueFor(command)
      const deadline = startedAt + this.#options.timeoutMilliseconds
      const operation = { command, opaque, startedAt, deadline, resolve }
      this.#options.watch?.began()
      const bytes = command.kind === 'get' ? 0 : command.value.byteLength
      const error = this.#whyNot(bytes)
      if (error === undefined) this.#take(operation, bytes)
      else this.#settle(operation, { kind: 'unavailable', cause: error }, startedAt)
    })
  }

  /** Fails what is in flight, and all that comes later. Repeated: does nothing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const error = closedError()
    this.#handshake?.cancel()
    this.#handshake = undefined
    this.#pipeline?.end(error)
    this.#failWaiting(error)
  }

  #opaqueFor({ kind }: Command): string {
    // Changes carry none: see `meta.ts`.
    return kind === 'add' || kind === 'swap' ? '' : (++this.#lastOpaque).toString(36)
  }

  readonly #settle = (operation: Operation, outcome: Reply | Unavailable, at: number): void => {
    this.#options.watch?.ended(outcome, at - operation.startedAt)
    operation.resolve(outcome)
  }

  /** Why an operation cannot be taken now, or undefined. */
  #whyNot(bytes: number): MemcachedError | undefined {
    if (this.#isClosed) return closedError()
    const pipeline = this.#pipeline
    if (pipeline === undefined && this.#restUntil !== 0) {
      // It rests, or one operation is trying it: one is enough.
      if (this.#handshake !== undefined || performance.now() < this.#restUntil) {
        return new MemcachedError(
          'resting',
          'Memcached failed a moment ago and is left alone.',
          this.#lastError,
        )
      }
    }
    const { maxInFlight, maxQueuedBytes } = this.#options
    const inFlight = pipeline === undefined ? this.#waiting.size : pipeline.inFlight
    const queuedBytes = pipeline === undefined ? this.#waitingBytes : pipeline.queuedBytes
    if (inFlight < maxInFlight && queuedBytes + bytes <= maxQueuedBytes) return undefined
    return new MemcachedError(
      'overload',
      `Too much waits for memcached: ${inFlight} operations, ${queuedBytes} bytes.`,
    )
  }

  #take(operation: Operation, bytes: number): void {
    if (this.#pipeline !== undefined) {
      this.#pipeline.send(operation)
      return
    }
    this.#waiting.push(operation)
    this.#waitingBytes += bytes
    this.#handshake ??= new Handshake(this.#options, {
      onReady: (socket, dialect) => this.#begin(socket, dialect),
      onFail: (error) => {
        this.#handshake = undefined
        this.#rest(error)
        this.#failWaiting(error)
      },
    })
  }

  #begin(socket: Socket, dialect: Dialect): void {
    const startedAt = performance.now()
    this.#handshake = undefined
    this.#restUntil = 0
    this.#options.watch?.connected(dialect.name)
    const pipeline = new Pipeline({
      socket,
      dialect,
      settle: this.#settle,
      onEnd: (error, hasAnswered) => {
        this.#pipeline = undefined
        const wasLong = performance.now() - startedAt >= longConnectionMilliseconds
        this.#afterEnd(error, { hasAnswered, wasLong })
      },
    })
    this.#pipeline = pipeline
    this.#waitingBytes = 0
    for (const operation of this.#waiting.drain()) pipeline.send(operation)
  }

  #afterEnd(
    error: MemcachedError,
    { hasAnswered, wasLong }: { readonly hasAnswered: boolean; readonly wasLong: boolean },
  ): void {
    if (hasAnswered && wasLong) this.#failures = 0
    // The first cut after good replies costs no rest: the server was started anew, or closes idle connections. A
    // server that does not answer in time is no better for being asked again.
    if (hasAnswered && this.#failures === 0 && error.code !== 'timeout') this.#failures = 1
    else this.#rest(error)
  }

  #rest(error: MemcachedError): void {
    this.#lastError = error
    const least = Math.min(longestRestMilliseconds, firstRestMilliseconds * 2 ** this.#failures++)
    // Jitter, so that many processes do not come back in the same moment.
    this.#restUntil = performance.now() + least * (1 + Math.random())
  }

  #failWaiting(error: MemcachedError): void {
    const outcome: Unavailable = { kind: 'unavailable', cause: error }
    this.#waitingBytes = 0
    const at = performance.now()
    for (const operation of this.#waiting.drain()) this.#settle(operation, outcome, at)
  }
}

function closedError(): MemcachedError {
  return new MemcachedError('closed', 'The store was closed.')
}
