// Holding a Node answer back until the session is stored: what the app writes is queued, then sent in its order,
// or thrown away when storing failed. An app that streams is told to wait, as by a slow client.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Runs when the app first sends something, before any of it goes out. A promise: the answer waits for it. */
export type BeforeSending = () => Promise<void> | undefined

type Call = () => unknown

/**
 * From now on `response` sends nothing before `before` is done. When that rejects, what was written is dropped
 * and `onFailure` has to answer, on a response without headers.
 */
export function holdAnswer(
  response: ServerResponse,
  before: BeforeSending,
  onFailure: (error: unknown) => void,
): void {
  const { write, end, writeHead, flushHeaders } = response
  const calls: Call[] = []
  let state: 'open' | 'held' | 'sent' = 'open'
  let isEnded = false
  let wantsDrain = false

  /** Sends now, or queues; says whether it sent. */
  function send(call: Call): boolean {
    if (state === 'open') start()
    if (state === 'sent') return true
    if (!isEnded) calls.push(call)
    return false
  }

  function start(): void {
    // What is sent now counts: an error handler that runs while the answer is held must not change it.
    const { statusCode, statusMessage } = response
    const waiting = before()
    if (waiting === undefined) {
      state = 'sent'
      return
    }
    state = 'held'
    Object.defineProperty(response, 'headersSent', { configurable: true, get: () => true })
    void finish(waiting, { statusCode, statusMessage }).catch((error: Error) => response.destroy(error))
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
      onFailure(error)
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

  response.writeHead = (...parameters: unknown[]) => {
    if (state === 'open') adoptHead(response, parameters)
    if (send(() => writeHead.call(response, response.statusCode))) {
      writeHead.call(response, response.statusCode)
    }
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
    if (send(call)) call()
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
