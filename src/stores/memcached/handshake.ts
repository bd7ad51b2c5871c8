// From nothing to a socket that may carry operations: connects, signs in, and finds the dialect out, all within
// one deadline.
import type { Socket } from 'node:net'
import type { Dialect } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { type CommandScript, type ScriptStep, createCommandScript } from './command-script.ts'
import { type Endpoint, openSocket } from './socket.ts'

export interface HandshakeOptions extends Endpoint {
  readonly dialect: 'auto' | 'meta' | 'classic'
  /** `user password`, one letter for each byte; or nothing to sign in with. */
  readonly login: string | undefined
  readonly timeoutMilliseconds: number
}

export interface HandshakeEvents {
  /** Nobody listens to the socket after this call: take it over within it. */
  onReady(socket: Socket, dialect: Dialect): void
  onFail(error: MemcachedError): void
}

const maxAnswerBytes = 512

/** Calls one of the events, once, within `timeoutMilliseconds`. The answer cancels it: then neither is called. */
export function shakeHands(options: HandshakeOptions, { onReady, onFail }: HandshakeEvents): () => void {
  let isDone = false
  let hangUp = attempt(options.dialect)
  // When this process itself was busy, answers may lie unread in the socket: they are read first.
  const timer = setTimeout(() => setImmediate(expire), options.timeoutMilliseconds)

  function expire(): void {
    finish(() =>
      onFail(
        new MemcachedError('timeout', `Memcached let nobody in within ${options.timeoutMilliseconds} ms.`),
      ),
    )
  }

  function finish(tell?: () => void): void {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    hangUp()
    tell?.()
  }

  /** One socket. Gives a function that lets go of it: closes it unless it was handed over. */
  function attempt(dialect: HandshakeOptions['dialect']): () => void {
    let script: CommandScript | undefined
    let text = ''
    let socket: Socket
    try {
      socket = openSocket(options, () => {
        script = createCommandScript(dialect, options.login)
        proceed(script.begin)
      })
    } catch (error) {
      // Options of TLS that nothing but connecting checks.
      queueMicrotask(() => proceed(new MemcachedError('cut', String(error), error)))
      return () => undefined
    }
    socket.on('data', onData).on('error', onError).on('end', onEnd).on('close', onEnd)

    function letGo(): void {
      socket.off('data', onData).off('error', onError).off('end', onEnd).off('close', onEnd)
    }

    function hangUpThis(): void {
      letGo()
      socket.destroy()
    }

    function proceed(step: ScriptStep | MemcachedError): void {
      if (step instanceof MemcachedError) finish(() => onFail(step))
      else if ('say' in step) socket.write(step.say, 'latin1')
      else if ('ready' in step) {
        hangUp = letGo
        finish(() => onReady(socket, step.ready))
      } else {
        hangUp()
        hangUp = attempt(step.again)
      }
    }

    function onData(chunk: Buffer): void {
      text += chunk.toString('latin1')
      const end = text.indexOf('\n')
      if (end === -1 && text.length <= maxAnswerBytes) return
      // One question, one line; and before the first question nothing but a refusal.
      const line = end === text.length - 1 ? text : ''
      const isFull = text.startsWith('ERROR Too many open connections')
      if (isFull) proceed(new MemcachedError('full', 'Memcached has as many connections as it takes.'))
      else proceed(script?.next(line) ?? unexpected(text))
      text = ''
    }

    function onError(error: Error): void {
      proceed(script?.closed ?? new MemcachedError('cut', error.message, error))
    }

    function onEnd(): void {
      proceed(script?.closed ?? new MemcachedError('cut', 'Memcached closed the connection.'))
    }

    return hangUpThis
  }

  return () => finish()
}
