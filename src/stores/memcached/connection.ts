// One pipelined connection to one memcached, made with the first operation and again after a failure. A circuit
// breaker keeps away from a node that fails: operations fail at once, and now and then one of them tries.
import type { Unavailable } from '../store.ts'
import type { Reply, Command, Dialect } from './dialect.ts'
import { MemcachedError } from './memcached-error.ts'
import { type HandshakeOptions, shakeHands } from './handshake.ts'
import { type Pipeline, type Operation, createPipeline } from './pipeline.ts'
import { createFifo } from './fifo.ts'

export interface ConnectionOptions extends HandshakeOptions {
  /** More than this at once, or more bytes than the system takes, fail at once: waiting would only make it worse. */
  readonly maxInFlight: number
  readonly maxQueuedBytes: number
  readonly watch?: ConnectionWatch
}

/** Counts what happens. Part of the connection, because a promise around each operation would cost a tenth of it. */
export interface ConnectionWatch {
  connected(dialect: Dialect['name']): void
  began(): void
  ended(outcome: Reply | Unavailable, milliseconds: number): void
}

export interface Connection {
  /** Never rejects. When it is unavailable it may have been carried out or not, as the cause's code says. */
  ask(command: Command): Promise<Reply | Unavailable>
  close(): void
}

/** Milliseconds without an attempt after failures in a row, doubled each time and with jitter: 50 to 2000. */
const firstRest = 50
const longestRest = 1000
/** A connection that held this long was a good one; its end starts the count anew. */
const longMilliseconds = 1000

export function createConnection(options: ConnectionOptions): Connection {
  const { timeoutMilliseconds, maxInFlight, maxQueuedBytes, watch } = options
  const waiting = createFifo<Operation>()
  let waitingBytes = 0
  let link: Pipeline | undefined
  let cancelGreeting: (() => void) | undefined
  let failures = 0
  let restUntil = 0
  let lastError: MemcachedError | undefined
  let opaques = 0
  let isClosed = false

  function settle(operation: Operation, outcome: Reply | Unavailable, at: number): void {
    watch?.ended(outcome, at - operation.startedAt)
    operation.resolve(outcome)
  }

  /** Why an operation cannot be taken now, or undefined. */
  function refusal(bytes: number): MemcachedError | undefined {
    if (isClosed) return new MemcachedError('closed', 'The connection was closed.')
    if (link === undefined && restUntil !== 0) {
      // Resting; or tried by an operation that is on its way, and one is enough.
      if (cancelGreeting !== undefined || performance.now() < restUntil) {
        return new MemcachedError('resting', 'Memcached failed a moment ago.', lastError)
      }
    }
    const inFlight = link === undefined ? waiting.size : link.inFlight
    const queued = link === undefined ? waitingBytes : link.queuedBytes
    if (inFlight < maxInFlight && queued + bytes <= maxQueuedBytes) return undefined
    return new MemcachedError('overload', 'Too many operations wait for memcached.')
  }

  function take(operation: Operation, bytes: number): void {
    if (link !== undefined) {
      link.send(operation)
      return
    }
    waiting.push(operation)
    waitingBytes += bytes
    if (cancelGreeting === undefined) connect()
  }

  function connect(): void {
    let startedAt = 0
    cancelGreeting = shakeHands(options, {
      onReady(socket, dialect) {
        startedAt = performance.now()
        cancelGreeting = undefined
        restUntil = 0
        watch?.connected(dialect.name)
        link = createPipeline({ socket, dialect, settle, onEnd })
        waitingBytes = 0
        for (const operation of waiting.drain()) link.send(operation)
      },
      onFail(error) {
        cancelGreeting = undefined
        rest(error)
        failWaiting(error)
      },
    })

    function onEnd(error: MemcachedError, hasAnswered: boolean): void {
      link = undefined
      if (hasAnswered && performance.now() - startedAt >= longMilliseconds) failures = 0
      // The first cut after good answers costs no rest: the server started anew, or closes idle connections. One
      // that does not answer in time is no better for being asked again.
      if (hasAnswered && failures === 0 && error.code !== 'timeout') failures = 1
      else rest(error)
    }
  }

  function rest(error: MemcachedError): void {
    lastError = error
    const least = Math.min(longestRest, firstRest * 2 ** failures++)
    // Jitter, so that many processes do not come back in the same moment.
    restUntil = performance.now() + least * (1 + Math.random())
  }

  function failWaiting(error: MemcachedError): void {
    const outcome: Unavailable = { kind: 'unavailable', cause: error }
    waitingBytes = 0
    const at = performance.now()
    for (const operation of waiting.drain()) settle(operation, outcome, at)
  }

  return {
    ask: (command) =>
      new Promise((resolve) => {
        const startedAt = performance.now()
        // Changes carry none: see `meta.ts`.
        const opaque = command.kind === 'add' || command.kind === 'swap' ? '' : (++opaques).toString(36)
        const operation = { command, opaque, startedAt, deadline: startedAt + timeoutMilliseconds, resolve }
        watch?.began()
        const bytes = command.kind === 'get' ? 0 : command.value.byteLength
        const error = refusal(bytes)
        if (error === undefined) take(operation, bytes)
        else settle(operation, { kind: 'unavailable', cause: error }, startedAt)
      }),
    close() {
      if (isClosed) return
      isClosed = true
      const error = new MemcachedError('closed', 'The connection was closed.')
      cancelGreeting?.()
      cancelGreeting = undefined
      link?.end(error)
      failWaiting(error)
    },
  }
}
