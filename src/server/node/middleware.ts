// Sessions for node:http, Connect and Express: answers the session routes, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { Sessions } from '../app/sessions.ts'
import type { SessionProgress } from '../http/progress.ts'
import { heldOf, holdAnswer } from './held-answer.ts'
import { toCoreRequest } from '../http/request.ts'
import {
  type CoreAnswer,
  type Header,
  appHeaders,
  failureAnswer,
  mergeCacheControl,
  mergeVary,
  problemAnswer,
} from '../http/respond.ts'
import type { ServerSession } from '../app/session.ts'

/** A request that has passed the middleware. */
export type SessionRequest<S extends SessionSchema = SessionSchema> = IncomingMessage & {
  readonly session: ServerSession<S>
}

export type Next = (error?: unknown) => void

export type Middleware = (request: IncomingMessage, response: ServerResponse, next?: Next) => Promise<void>

export interface MiddlewareOptions {
  /**
   * Told of what nobody else sees: an answer that was cut off or replaced, for a reason that is no SessionError.
   * Must not throw. @default nobody
   */
  readonly onError?: (error: unknown, request: IncomingMessage) => void
}

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
export function sessionMiddleware<S extends SessionSchema>(
  sessions: Sessions<S>,
  { onError = () => undefined }: MiddlewareOptions = {},
): Middleware {
  const passed = new WeakSet<IncomingMessage>()
  return async (request, response, next) => {
    // Mounted twice, for the app and for a router of it.
    if (passed.has(request)) return next?.()
    passed.add(request)
    // A timeout may have answered while we waited.
    const isGone = (): boolean => response.headersSent || response.writableEnded || response.destroyed
    try {
      const core = toCoreRequest(request)
      // Before anything else: an error answer, too, must be readable for a page that may read the good one.
      for (const field of sessions.cors(core)) addHeader(response, field)
      const answer = await sessions.handle(core)
      if (answer !== undefined) return sendOwn(request, response, answer)
      const session = await sessions.load(request)
      if (isGone()) return undefined
      Object.assign(request, { session })
      hold(response, {
        progressOf: () => sessions.progress(session),
        onError: (error) => onError(error, request),
      })
    } catch (error) {
      if (error instanceof SessionError) return sendOwn(request, response, problemAnswer(error))
      if (isGone()) return onError(error, request)
      if (next !== undefined) return next(error)
      onError(error, request)
      return sendOwn(request, response, failureAnswer)
    }
    try {
      next?.()
    } catch (error) {
      // Only a bare handler throws into here; Express never does. Its other errors are its own.
      if (!(error instanceof SessionError)) throw error
      sessionErrors(error, request, response, () => onError(error, request))
    }
    return undefined
  }
}

/**
 * For Express, after the routes: answers the SessionErrors that they threw, such as `cross-site` from a guard. What
 * the route changed in the session before is dropped.
 * @example app.use(sessionErrors)
 */
// oxlint-disable-next-line max-params -- Express tells an error handler by its four parameters
export function sessionErrors(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
): void {
  const held = heldOf(response)
  if (!(error instanceof SessionError)) return next(error)
  // The app gave its answer before: that is on its way, and nothing may break the connection.
  if (held?.isDecided === true) return undefined
  if (response.headersSent) return next(error)
  ;(request as Partial<SessionRequest>).session?.revert()
  held?.clear()
  return sendAnswer(response, problemAnswer(error))
}

export interface HoldOptions {
  progressOf(): SessionProgress
  onError(error: unknown): void
}

/** For adapters of frameworks that stand on Node's answers: from now on this one waits for its session. */
export function hold(response: ServerResponse, { progressOf, onError }: HoldOptions): void {
  let isShared = false
  let setsCookie = false
  let hasHeaders = false

  holdAnswer(response, {
    onError,
    store() {
      const { isTouched, isSettled, hasFailed, finish } = progressOf()
      // An answer that everybody may have is not for renewing somebody's cookie, and says nothing of a session.
      isShared = !isTouched && isPublic(response)
      return isShared || isSettled || hasFailed ? undefined : finish()
    },
    addHeaders() {
      if (isShared) return
      const fields = appHeaders(progressOf(), (name) => textOf(response, name))
      setsCookie = fields.some(([name]) => name === 'set-cookie')
      for (const field of fields) addHeader(response, field)
      hasHeaders = progressOf().isRead
    },
    protect(name, value) {
      if (!hasHeaders) return value
      if (name.toLowerCase() === 'cache-control') return mergeCacheControl(String(value), setsCookie)
      return name.toLowerCase() === 'vary' ? mergeVary(String(value), progressOf().vary) : value
    },
    /** Changed while the answer was streaming: not too late for the store, where no new cookie is needed. */
    beforeEnd() {
      const { isTouched, isDirty, hasFailed, needsCookie, finish } = progressOf()
      if (isShared && isTouched) return Promise.reject(new Error(readTooLate))
      if (!isDirty || hasFailed) return undefined
      return needsCookie ? Promise.reject(new Error(changedTooLate)) : finish()
    },
    onFailure(error) {
      if (!(error instanceof SessionError)) onError(error)
      sendAnswer(response, error instanceof SessionError ? problemAnswer(error) : failureAnswer)
    },
  })
}

const readTooLate =
  'The session was read after the answer had begun as "public". It was cut off, so that no cache keeps it.'
const changedTooLate =
  'A session was begun, or signed in to, after the answer had begun: its cookie could not be sent. It was not stored.'

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

/** An answer of ours before the app was asked, unless somebody else was quicker. */
function sendOwn(request: IncomingMessage, response: ServerResponse, answer: CoreAnswer): void {
  if (response.headersSent || response.writableEnded || response.destroyed) {
    if (typeof answer.body !== 'string') void answer.body[Symbol.asyncIterator]().return?.()
    return
  }
  if (isUnread(request, answer)) response.setHeader('connection', 'close')
  sendAnswer(response, answer)
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
