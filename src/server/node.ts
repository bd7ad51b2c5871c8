// Sessions for node:http, Connect and Express: answers the session routes, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionError } from '../protocol/errors.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { Sessions } from './handler.ts'
import type { SessionProgress } from './progress.ts'
import { holdAnswer } from './node-answer.ts'
import { toCoreRequest } from './request.ts'
import {
  type CoreAnswer,
  type Header,
  appHeaders,
  failureAnswer,
  mergeVary,
  problemAnswer,
} from './respond.ts'
import type { ServerSession } from './session.ts'

/** A request that has passed the middleware. */
export type SessionRequest<S extends SessionSchema = SessionSchema> = IncomingMessage & {
  readonly session: ServerSession<S>
}

export type Next = (error?: unknown) => void

export type Middleware = (request: IncomingMessage, response: ServerResponse, next?: Next) => Promise<void>

/**
 * Middleware for Connect and Express; with bare node:http give the rest of the app as `next`. Put it before
 * parsers of bodies and before the routes that use `request.session`.
 *
 * It answers the session routes, and requests whose session cannot be had: 401 `stale`, 409 `lost`, 503.
 * Everything else goes on; what the app answers is held until the session's changes are stored, and becomes a
 * problem answer when that fails.
 * @example app.use(sessionMiddleware(sessions))
 * @example createServer((request, response) => middleware(request, response, () => app(request, response)))
 */
export function sessionMiddleware<S extends SessionSchema>(sessions: Sessions<S>): Middleware {
  const passed = new WeakSet<IncomingMessage>()
  return async (request, response, next) => {
    // Mounted twice, for the app and for a router of it.
    if (passed.has(request)) return next?.()
    passed.add(request)
    try {
      const core = toCoreRequest(request)
      // Before anything else: an error answer, too, must be readable for a page that may read the good one.
      for (const field of sessions.cors(core)) addHeader(response, field)
      const answer = await sessions.handle(core)
      if (answer !== undefined) {
        if (isUnread(request, answer)) response.setHeader('connection', 'close')
        sendAnswer(response, answer)
        return
      }
      const session = await sessions.load(request)
      Object.assign(request, { session })
      hold(response, () => sessions.progress(session))
    } catch (error) {
      if (error instanceof SessionError) sendAnswer(response, problemAnswer(error))
      else if (next === undefined) sendFailure(response, error)
      else next(error)
      return
    }
    try {
      next?.()
    } catch (error) {
      // Only a bare handler throws into here; Express never does. Its other errors are its own.
      if (!(error instanceof SessionError) || response.headersSent) throw error
      sendAnswer(response, problemAnswer(error))
    }
  }
}

/**
 * For Express, after the routes: answers the SessionErrors that they threw, such as `cross-site` from a guard.
 * @example app.use(sessionErrors)
 */
// oxlint-disable-next-line max-params -- Express tells an error handler by its four parameters
export function sessionErrors(
  error: unknown,
  _request: IncomingMessage,
  response: ServerResponse,
  next: Next,
): void {
  if (error instanceof SessionError && !response.headersSent) sendAnswer(response, problemAnswer(error))
  else next(error)
}

function hold(response: ServerResponse, progressOf: () => SessionProgress): void {
  let isShared = false

  function addHeaders(progress: SessionProgress): void {
    for (const field of appHeaders(progress, (name) => textOf(response, name))) addHeader(response, field)
  }

  /** Stores what the request changed, then puts the session's headers on. Undefined: there is nothing to wait for. */
  function prepare(): Promise<void> | undefined {
    const progress = progressOf()
    // An answer that everybody may have is not for renewing somebody's cookie, and says nothing of a session.
    isShared = !progress.isTouched && isPublic(response)
    if (isShared) return undefined
    if (!progress.isSettled && !progress.hasFailed)
      return progress.finish().then(() => addHeaders(progressOf()))
    addHeaders(progress)
    return undefined
  }

  /** Changed while the answer was streaming: it is too late for a cookie, but not for the store. */
  function saveLate(): Promise<void> | undefined {
    const { isTouched, isDirty, hasFailed, finish } = progressOf()
    if (isShared && isTouched) return Promise.reject(new Error(readTooLate))
    return isDirty && !hasFailed ? finish() : undefined
  }

  const onFailure = (error: unknown): void => sendFailure(response, error)
  holdAnswer(response, { before: prepare, beforeEnd: saveLate, onFailure })
}

const readTooLate =
  'The session was read after the answer had begun as "public". It was cut off, so that no cache keeps it.'

function addHeader(response: ServerResponse, [name, value]: Header): void {
  if (name === 'set-cookie') response.appendHeader(name, value)
  else if (name === 'vary') response.setHeader(name, mergeVary(textOf(response, name), value))
  else response.setHeader(name, value)
}

/** The app gives this answer to shared caches, and did not look at the session for it. */
function isPublic(response: ServerResponse): boolean {
  return /\bpublic\b/i.test(textOf(response, 'cache-control') ?? '')
}

function textOf(response: ServerResponse, name: string): string | undefined {
  const value = response.getHeader(name)
  return value === undefined || typeof value === 'string' ? value : String(value)
}

/** What is left of a refused body would be read as the next request, or be waited for. */
export function isUnread({ complete, httpVersionMajor }: IncomingMessage, { status }: CoreAnswer): boolean {
  return !complete && httpVersionMajor === 1 && status >= 400
}

function sendAnswer(response: ServerResponse, { status, headers, body }: CoreAnswer): void {
  response.statusCode = status
  for (const field of headers) addHeader(response, field)
  if (typeof body === 'string') response.end(body)
  else void sendPieces(response, body)
}

/** As fast as the client takes them, until it is gone. */
async function sendPieces(response: ServerResponse, pieces: AsyncIterable<string>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  const leave = (): void => void iterator.return?.()
  response.once('close', leave)
  if (response.closed || response.destroyed) leave()
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (response.write(next.value)) continue
      await new Promise((resolve) => {
        response.once('drain', resolve)
        response.once('close', resolve)
      })
    }
    response.end()
  } catch (error) {
    response.destroy(error instanceof Error ? error : new Error('The stream broke.'))
  }
}

/** The app's answer was held and is gone. Tells nothing of what went wrong but for our own codes. */
function sendFailure(response: ServerResponse, error: unknown): void {
  sendAnswer(response, error instanceof SessionError ? problemAnswer(error) : failureAnswer)
}
