// From nothing to a socket that may carry operations: connects, signs in and finds the dialect out, within one
// deadline.
import type { Socket } from 'node:net'
import { CommandScript, type ScriptStep } from './command-script.ts'
import type { Dialect } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { type Endpoint, openSocket } from './socket.ts'

export interface HandshakeOptions extends Endpoint {
  readonly dialect: 'auto' | 'meta' | 'classic'
  /** `user password`, one character for each byte; undefined: there is nothing to sign in with. */
  readonly login: string | undefined
  /** For all of it. */
  readonly timeoutMilliseconds: number
}

/** One of the two is called, once, within the deadline, and never before the constructor has returned. */
export interface HandshakeEvents {
  /** Take the socket over within this call: nobody listens to it after that. */
  onReady(socket: Socket, dialect: Dialect): void
  onFail(error: MemcachedError): void
}

/** One attempt to reach a server. It takes a second socket when the server hangs up on a question. */
export class Handshake {
  readonly #options: HandshakeOptions
  readonly #events: HandshakeEvents
  readonly #timer: ReturnType<typeof setTimeout>
  #greeting: Greeting
  #isOver = false

  constructor(options: HandshakeOptions, events: HandshakeEvents) {
    this.#options = options
    this.#events = events
    this.#greeting = this.#greet(options.dialect)
    // When this process itself was busy, answers may lie unread in the socket: they are read first.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), options.timeoutMilliseconds)
  }

  /** Ends it: none of the events is called any more. Repeated, or after an event: does nothing. */
  cancel(): void {
    if (this.#end()) this.#greeting.hangUp()
  }

  #greet(dialect: HandshakeOptions['dialect']): Greeting {
    const script = new CommandScript(dialect, this.#options.login)
    return new Greeting(this.#options, script, (step) => this.#proceed(step))
  }

  #proceed(step: ScriptStep): void {
    switch (step.kind) {
      case 'say':
        this.#greeting.say(step.text)
        return
      case 'again':
        this.#greeting.hangUp()
        this.#greeting = this.#greet(step.dialect)
        return
      case 'ready': {
        const socket = this.#greeting.handOver()
        if (socket !== undefined && this.#end()) this.#events.onReady(socket, step.dialect)
        return
      }
      case 'fail':
        this.#fail(step.error)
        return
      default:
        step satisfies never
    }
  }

  #expire(): void {
    const { timeoutMilliseconds } = this.#options
    this.#fail(new MemcachedError('timeout', `Memcached let nobody in within ${timeoutMilliseconds} ms.`))
  }

  #fail(error: MemcachedError): void {
    if (!this.#end()) return
    this.#greeting.hangUp()
    this.#events.onFail(error)
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#timer)
    return true
  }
}

/** Far more than the line that a server greets with. */
const maxLineBytes = 512

/** One socket on which a script is played: one question, one line. */
class Greeting {
  readonly #script: CommandScript
  readonly #tell: (step: ScriptStep) => void
  #socket: Socket | undefined
  #isOpen = false
  #text = ''

  /** `tell` is called for each step, and never before the constructor has returned. */
  constructor(endpoint: Endpoint, script: CommandScript, tell: (step: ScriptStep) => void) {
    this.#script = script
    this.#tell = tell
    try {
      this.#socket = openSocket(endpoint, () => {
        this.#isOpen = true
        tell(script.begin())
      })
    } catch (error) {
      // Options of TLS that nothing but connecting checks.
      queueMicrotask(() => tell({ kind: 'fail', error: new MemcachedError('cut', String(error), error) }))
      return
    }
    this.#socket
      .on('data', this.#onData)
      .on('error', this.#onError)
      .on('end', this.#onEnd)
      .on('close', this.#onEnd)
  }

  say(text: string): void {
    this.#socket?.write(text, 'latin1')
  }

  /** The socket, which nobody listens to any more. */
  handOver(): Socket | undefined {
    const socket = this.#socket
    this.#socket = undefined
    return socket
      ?.off('data', this.#onData)
      .off('error', this.#onError)
      .off('end', this.#onEnd)
      .off('close', this.#onEnd)
  }

  hangUp(): void {
    this.handOver()?.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#text += chunk.toString('latin1')
    const text = this.#text
    const end = text.indexOf('\n')
    if (end === -1 && text.length <= maxLineBytes) return
    this.#text = ''
    if (text.startsWith('ERROR Too many open connections')) {
      const error = new MemcachedError('full', 'Memcached has as many connections as it takes (-c).')
      this.#tell({ kind: 'fail', error })
    } else if (this.#isOpen) {
      // One question, one line: more than a line is no answer.
      this.#tell(this.#script.next(end === text.length - 1 ? text : ''))
    } else this.#tell({ kind: 'fail', error: unexpected(text) })
  }

  readonly #onError = (error: Error): void => {
    this.#close(new MemcachedError('cut', error.message, error))
  }

  readonly #onEnd = (): void => {
    this.#close(new MemcachedError('cut', 'Memcached closed the connection.'))
  }

  #close(error: MemcachedError): void {
    this.#tell(this.#isOpen ? this.#script.afterClose(error) : { kind: 'fail', error })
  }
}
