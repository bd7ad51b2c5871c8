// Holding a Node answer back until the session is stored: what the app writes is queued, then sent in its order,
// or thrown away when storing failed. An app that streams is told to wait, as by a slow client.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

export interface Holding {
  /** Runs before anything goes out. A promise: the answer waits for it. */
  before(): Promise<void> | undefined
  /** Runs before the end of an answer that has begun to go out. When it rejects, the answer is cut off. */
  beforeEnd(): Promise<void> | undefined
  /** `before` rejected: what was written is dropped, and this has to answer, on a response without headers. */
  onFailure(error: unknown): void
}

type Call = () => unknown

/** From now on `response` sends nothing before `holding` lets it. */
export function holdAnswer(response: ServerResponse, holding: Holding): void {
  const { write, end, writeHead, flushHeaders } = response
  const calls: Call[] = []
  let state: 'open' | 'held' | 'sent' = 'open'
  let isEnded = false
  let wantsDrain = false

  /** Sends now, or queues; says whether it may be sent now. */
  function send(call: Call): boolean {
    if (state === 'open') start()
    if (state === 'held' && !isEnded) calls.push(call)
    return state === 'sent'
  }

  function start(): void {
    // What is sent now counts: an error handler that runs while the answer is held must not change it.
    const { statusCode, statusMessage } = response
    const waiting = holding.before()
    if (waiting === undefined) {
      state = 'sent'
      return
    }
    state = 'held'
    Object.defineProperty(response, 'headersSent', { configurable: true, get: () => true })
    cutOnError(finish(waiting, { statusCode, statusMessage }))
  }

  async function finish(
    waiting: Promise<void>,
    status: Pick<ServerResponse, 'statusCode' | 'statusMessage'>,
  ): Promise<void> {
    try {
      await waiting
    } catch (error) {
      release()
      for (const name of response.getHeaderNames()) if (!survives(name)) response.removeHeader(name)
      holding.onFailure(error)
      return
    }
    release()
    Object.assign(response, status)
    for (const call of calls) call()
    if (wantsDrain && !response.writableNeedDrain) response.emit('drain')
  }

  function release(): void {
    state = 'sent'
    Reflect.deleteProperty(response, 'headersSent')
  }

  function cutOnError(sending: Promise<unknown>): void {
    sending.catch((error: Error) => response.destroy(error))
  }

  // Like Node's own, it sends nothing yet: a session that is changed after it is still stored in time.
  response.writeHead = (...parameters: unknown[]) => {
    if (state === 'open') adoptHead(response, parameters)
    else if (state === 'sent') Reflect.apply(writeHead, response, parameters)
    return response
  }
  response.flushHeaders = () => {
    if (send(() => flushHeaders.call(response))) flushHeaders.call(response)
  }
  response.write = (...parameters: unknown[]) => {
    const call = (): boolean => Reflect.apply(write, response, parameters)
    if (send(call)) return call()
    wantsDrain = true
    return false
  }
  response.end = (...parameters: unknown[]) => {
    const call = (): unknown => Reflect.apply(end, response, parameters)
    const hasBegun = state === 'sent'
    if (send(call)) {
      const waiting = hasBegun && !isEnded ? holding.beforeEnd() : undefined
      if (waiting === undefined) call()
      else cutOnError(waiting.then(call))
    }
    isEnded = true
    return response
  }
}

/** What a failed answer keeps: without these a page of another origin could not read the failure. */
function survives(name: string): boolean {
  return name === 'vary' || name.startsWith('access-control-')
}

/**
 * Takes the arguments of `writeHead` into the response, so that headers merge with ours: those given to
 * `writeHead` itself would win over them.
 */
function adoptHead(response: ServerResponse, [status, ...rest]: unknown[]): void {
  response.statusCode = Number(status)
  if (typeof rest[0] === 'string') response.statusMessage = rest[0]
  const given = rest.at(-1)
  if (Array.isArray(given)) adoptList(response, given.flat() as OutgoingHttpHeader[]) // As Node's own types have it.
  else if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given as OutgoingHttpHeaders)) {
      if (value !== undefined) response.setHeader(name, value)
    }
  }
}

/** `[name, value, name, value]`: a name may stand several times. */
function adoptList(response: ServerResponse, list: readonly OutgoingHttpHeader[]): void {
  const names = new Set(list.filter((_, index) => index % 2 === 0).map(String))
  for (const name of names) response.removeHeader(name)
  for (let index = 0; index + 1 < list.length; index += 2) {
    const value = list[index + 1] ?? ''
    response.appendHeader(String(list[index]), Array.isArray(value) ? value : String(value))
  }
}
