// Sending an answer of ours by Node's response, whole or in pieces, and breaking off one that must not look whole.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CoreAnswer } from '../http/core-answer.ts'
import { type HeaderAccess, mergeHeader } from '../http/session-headers.ts'
import { isHttp2 } from './answer-head.ts'

export const nodeHeaders: HeaderAccess<ServerResponse> = {
  get(response, name) {
    const value = response.getHeader(name)
    return value === undefined || typeof value === 'string' ? value : String(value)
  },
  names: (response) => response.getHeaderNames(),
  set: (response, name, value) => void response.setHeader(name, value),
  appendCookie: (response, line) => void response.appendHeader('set-cookie', line),
}

/** Whether nobody can be answered any more: the connection, or with HTTP/2 the stream, is closed. */
export function isGone(response: ServerResponse): boolean {
  return response.destroyed || (isHttp2(response) && response.socket === undefined)
}

/** Whether somebody else has answered, or nobody can be answered any more. */
export function isAnswered(response: ServerResponse): boolean {
  return response.headersSent || response.writableEnded || isGone(response)
}

/** What is left of a refused body would be read as the next request, or be waited for. */
export function isUnread({ complete, httpVersionMajor }: IncomingMessage, { status }: CoreAnswer): boolean {
  return !complete && httpVersionMajor === 1 && status >= 400
}

/** Sends `answer` instead of the app's. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: CoreAnswer): void {
  response.statusCode = status
  for (const field of headers) mergeHeader(nodeHeaders, response, field)
  if (typeof body === 'string') response.end(body)
  else void sendPieces(response, body)
}

/** Lets go of what an answer holds that nobody is to get. */
export function discardAnswer({ body }: CoreAnswer): void {
  if (typeof body !== 'string') void body[Symbol.asyncIterator]().return?.()
}

/** Ends the answer so that nobody takes it for a whole one. */
export function cutOff(response: ServerResponse, cause: unknown): void {
  // Without an error HTTP/2 ends the stream as if all were well; with HTTP/1.1 the closed connection says it all, and
  // an error would be told to `clientError`.
  if (!isHttp2(response)) response.destroy()
  else response.destroy(cause instanceof Error ? cause : new Error('The answer was cut off.'))
}

/** As fast as the client takes them, until it is gone. */
async function sendPieces(response: ServerResponse, pieces: AsyncIterable<string>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  const leave = (): void => void iterator.return?.()
  response.once('close', leave)
  if (response.closed || isGone(response)) leave()
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      // oxlint-disable-next-line no-await-in-loop -- one after another, as the client takes them
      if (!response.write(next.value)) await drainOf(response)
    }
    response.end()
  } catch (error) {
    cutOff(response, error)
  }
}

/** Resolves when the client takes more, or is gone; leaves no listener behind. */
function drainOf(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}
