// Holding a Node answer back until the session is stored: what the app writes is queued, then sent in its order, or
// thrown away when storing failed. The first answer is the answer: what comes after its end is ignored, as nobody
// can tell yet that it has not left. An app that streams is told to wait, as by a slow client.
import type { ServerResponse } from 'node:http'
import { adoptHead, checkChunk } from './response-head.ts'

export interface Holding {
  /** Stores what is to be stored. A promise: the answer waits for it, and asks again. Undefined: there is nothing. */
  store(): Promise<void> | undefined
  /** Puts headers on, just before they go out. */
  addHeaders(): void
  /** What a header may be set to that is changed after `addHeaders`, by whoever listens for the head. */
  protect(name: string, value: unknown): unknown
  /** Runs before the end of an answer that has begun to go out. When it rejects, the answer is cut off. */
  beforeEnd(): Promise<void> | undefined
  /** `store` rejected: what was written is dropped, and this has to answer, at once, on a response that is clean. */
  onFailure(error: unknown): void
  /** What nobody else is told of: the answer was cut off. */
  onError(error: unknown): void
}

/** How an answer that is held looks to error handlers. */
export interface Held {
  /** The app has given its whole answer; it is on its way. */
  readonly isDecided: boolean
  /** Takes the app's answer back: the headers are those from before the app. */
  clear(): void
}

type Call = () => unknown
type Callback = (error?: Error) => void

const helds = new WeakMap<ServerResponse, Held>()
/** Changes that are made while an answer is held are stored, too. So many times, then it is a loop. */
const maxRounds = 100

export function heldOf(response: ServerResponse): Held | undefined {
  return helds.get(response)
}

/** From now on `response` sends nothing before `holding` lets it. */
export function holdAnswer(response: ServerResponse, holding: Holding): void {
  const { write, end, writeHead, flushHeaders, setHeader, appendHeader, removeHeader, setHeaders } = response
  const original = { write, end, writeHead, flushHeaders, setHeader, appendHeader, removeHeader, setHeaders }
  const earlier = response.getHeaders()
  const calls: Call[] = []
  const callbacks: Callback[] = []
  let state: 'open' | 'held' | 'sent' | 'dropped' = 'open'
  let isEnded = false
  let wantsDrain = false

  /** Sends now, or queues; says whether it may be sent now. */
  function send(call: Call): boolean {
    if (state === 'open') start()
    if (state === 'held') calls.push(call)
    return state === 'sent'
  }

  function start(): void {
    // What is sent now counts: an error handler that runs while the answer is held must not change it.
    const { statusCode, statusMessage } = response
    const waiting = holding.store()
    if (waiting === undefined) {
      holding.addHeaders()
      state = 'sent'
      return
    }
    state = 'held'
    // Once it has ended nobody can change it, and whoever asks is better told that nothing has left: an error
    // handler that believed otherwise would break the connection that the answer still needs.
    Object.defineProperty(response, 'headersSent', { configurable: true, get: () => !isEnded })
    finish(waiting, { statusCode, statusMessage }).catch(cut)
  }

  async function finish(
    waiting: Promise<void>,
    status: Pick<ServerResponse, 'statusCode' | 'statusMessage'>,
  ): Promise<void> {
    try {
      await waiting
      for (let round = 0, more = holding.store(); more !== undefined; more = holding.store()) {
        if (++round > maxRounds) throw new Error('The session is changed without end while its answer waits.')
        // oxlint-disable-next-line no-await-in-loop -- one after another: nothing has left yet
        await more
      }
    } catch (error) {
      fail(error)
      return
    }
    release()
    Object.assign(response, status)
    try {
      holding.addHeaders()
      for (const call of calls) call()
    } catch (error) {
      // Such as a status that no answer can have.
      if (response.headersSent) throw error
      fail(error)
    }
    if (wantsDrain && !response.writableNeedDrain) response.emit('drain')
  }

  function fail(error: unknown): void {
    release()
    Object.assign(response, original)
    clear()
    if (!response.destroyed) holding.onFailure(error)
    Object.assign(response, own)
    state = 'dropped'
    const reason = error instanceof Error ? error : new Error('The answer was not sent.')
    for (const callback of callbacks) callback(reason)
  }

  function release(): void {
    state = 'sent'
    Reflect.deleteProperty(response, 'headersSent')
  }

  /** Without the headers of CORS a page of another origin could not read the failure. */
  function clear(): void {
    for (const name of response.getHeaderNames()) {
      if (name !== 'vary' && !name.startsWith('access-control-')) removeHeader.call(response, name)
    }
    for (const [name, value] of Object.entries(earlier)) {
      if (value !== undefined && !response.hasHeader(name)) setHeader.call(response, name, value)
    }
    response.statusMessage = ''
  }

  function cut(error: unknown): void {
    holding.onError(error)
    response.destroy()
  }

  /** Whether headers may be changed: as with Node, not once they count as sent. After the end it does not matter. */
  function mayChange(): boolean {
    if (state === 'dropped' || (state === 'held' && isEnded)) return false
    if (state !== 'held') return true
    const error = new Error('Headers cannot be changed after the answer has begun.')
    throw Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' })
  }

  /** What an app writes that has ended its answer, or whose answer was dropped. */
  function ignore(parameters: readonly unknown[]): void {
    const callback = parameters.find((one) => typeof one === 'function') as Callback | undefined
    if (callback !== undefined) process.nextTick(callback, new Error('The answer has ended.'))
  }

  function note(parameters: readonly unknown[]): void {
    const callback = parameters.find((one) => typeof one === 'function')
    if (callback !== undefined) callbacks.push(callback as Callback) // Of Node's signature.
  }

  const own: typeof original = {
    setHeader(name, value) {
      if (!mayChange()) return response
      // After ours are on, only somebody who waits for the head comes here.
      const kept = state === 'sent' ? holding.protect(name, value) : value
      return Reflect.apply(setHeader, response, [name, kept])
    },
    appendHeader: (...parameters) =>
      mayChange() ? Reflect.apply(appendHeader, response, parameters) : response,
    setHeaders: (...parameters) => (mayChange() ? Reflect.apply(setHeaders, response, parameters) : response),
    removeHeader(name) {
      if (mayChange()) removeHeader.call(response, name)
    },
    // Like Node's own, it sends nothing yet: a session that is changed after it is still stored in time.
    writeHead(...parameters: unknown[]) {
      if (state === 'sent') Reflect.apply(writeHead, response, parameters)
      else if (mayChange()) adoptHead(response, parameters)
      return response
    },
    flushHeaders() {
      if (state !== 'dropped' && send(() => flushHeaders.call(response))) flushHeaders.call(response)
    },
    write(...parameters: unknown[]) {
      if (isEnded || state === 'dropped') {
        ignore(parameters)
        return false
      }
      const call = (): boolean => Reflect.apply(write, response, parameters)
      if (state !== 'sent') checkChunk(parameters[0])
      if (send(call)) return call()
      note(parameters)
      wantsDrain = true
      return false
    },
    end(...parameters: unknown[]) {
      if (isEnded || state === 'dropped') {
        ignore(parameters)
        isEnded = true
        return response
      }
      const [chunk] = parameters
      const isEmpty = chunk === undefined || chunk === null || typeof chunk === 'function'
      if (state !== 'sent' && !isEmpty) checkChunk(chunk)
      const call = (): unknown => Reflect.apply(end, response, parameters)
      const hasBegun = state === 'sent'
      if (send(call)) {
        const waiting = hasBegun ? holding.beforeEnd() : undefined
        if (waiting === undefined) call()
        else waiting.then(call).catch(cut)
      } else note(parameters)
      isEnded = true
      return response
    },
  }
  Object.assign(response, own)

  helds.set(response, {
    get isDecided() {
      return isEnded && (state === 'held' || state === 'sent')
    },
    clear,
  })
}
