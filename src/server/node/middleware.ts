// Sessions for node:http, Connect and Express: answers the session routes, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import { type ChecksOf, type KnownOptions, callback, checkOptions } from '../../protocol/check-options.ts'
import { AppSession } from '../app/app-session.ts'
import type { ServerSession } from '../app/server-session.ts'
import type { Sessions } from '../app/sessions.ts'
import { reportOf } from '../core/error-report.ts'
import { type CoreAnswer, errorAnswer } from '../http/core-answer.ts'
import { toCoreRequest } from '../http/request.ts'
import { mergeHeader } from '../http/session-headers.ts'
import { heldAnswerOf } from './hold-answer.ts'
import { discardAnswer, isAnswered, isUnread, nodeHeaders, sendAnswer } from './send-answer.ts'
import { checkSessions, createSessionsHint, defineSessionOf, isFirstOf } from './request-session.ts'
import { holdForSession, isUnseen } from './session-answer.ts'

/** A request that has passed the middleware; with node:http2 `R` is `Http2ServerRequest`. */
export type SessionRequest<
  S extends SessionSchema = SessionSchema,
  R extends IncomingMessage | Http2ServerRequest = IncomingMessage,
> = R & {
  readonly session: ServerSession<S>
}

/** What comes after the middleware; with an argument, the app's error handler. */
export type Next = (error?: unknown) => void

/** What `sessionMiddleware` gives: Connect, Express, node:http and node:http2 call it for each request. */
export type Middleware = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  next?: Next,
) => Promise<void>

/** Options of `sessionMiddleware`. */
export interface MiddlewareOptions {
  /**
   * Told of what nobody else sees: an answer that was cut off or replaced, for a reason that is no SessionError; and,
   * once for each code, of what users see as 503, unless `createSessions` has an `onError` of its own. Must not throw.
   * @default nobody is told of the first, and `console.error` of the second
   */
  readonly onError?: (error: unknown, request: IncomingMessage) => void
}

const middlewareChecks: ChecksOf<MiddlewareOptions> = { onError: callback }
const middlewareOptions: KnownOptions = {
  checks: middlewareChecks,
  hints: {
    schema: createSessionsHint,
    secret: createSessionsHint,
    secrets: createSessionsHint,
    store: createSessionsHint,
    cookie: createSessionsHint,
  },
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
  options: MiddlewareOptions = {},
): Middleware {
  checkSessions('sessionMiddleware', sessions)
  checkOptions('sessionMiddleware', options, middlewareOptions)
  const tell = createTell(sessions, options.onError)

  return async (given, answered, next) => {
    // Node's HTTP/2 has the same members, as far as they are used here.
    const request = given as IncomingMessage
    const response = answered as ServerResponse
    try {
      if (!isFirstOf(sessions, request)) return next?.()
      const answer = await openRequest(sessions, request, response)
      if (answer !== undefined) {
        if (answer.status === 503) tell(undefined, request)
        return sendOwn(request, response, answer)
      }
      // A timeout may have answered while we waited.
      if (isAnswered(response)) return undefined
      const session = await sessions.load(request)
      if (isAnswered(response)) return undefined
      defineSessionOf(request, session)
      holdForSession(response, sessions.progress(session), (error) => tell(error, request))
    } catch (error) {
      if (error instanceof SessionError) {
        tell(error, request)
        return sendOwn(request, response, errorAnswer(error))
      }
      if (next !== undefined && !isAnswered(response)) return next(error)
      tell(error, request)
      return sendOwn(request, response, errorAnswer(error))
    }
    try {
      next?.()
    } catch (error) {
      // Only a bare handler throws into here; Express never does. Its other errors are its own.
      sessionErrors(error, request, response, (other) => {
        if (!(error instanceof SessionError)) throw other
        options.onError?.(error, request)
      })
    }
    return undefined
  }
}

/**
 * What tells `onError`: at once what is no SessionError, and of the others those that the sessions report, which are
 * users' 503, once for each code.
 */
function createTell(
  sessions: object,
  onError: MiddlewareOptions['onError'],
): (error: unknown, request: IncomingMessage) => void {
  if (onError === undefined) return () => undefined
  const report = reportOf(sessions)
  report?.listen()
  return (error, request) => {
    if (error !== undefined && isUnseen(error)) onError(error, request)
    for (const reported of report?.take() ?? []) onError(reported, request)
  }
}

/**
 * For Express, after the routes and before other error handlers: drops what a route that threw had changed in the
 * session and not saved, and answers SessionErrors, such as `cross-site` from a guard. Other errors go on to the next
 * error handler.
 * @example app.use(sessionErrors)
 */
// oxlint-disable-next-line max-params -- Express tells an error handler by its four parameters
export function sessionErrors(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
): void {
  const held = heldAnswerOf(response)
  const isDecided = held?.isDecided === true
  // An answer that was given before stays, with what was changed for it.
  if (!isDecided) revertChanges(request)
  if (!(error instanceof SessionError)) return next(error)
  tellMistake(request, error)
  // It is on its way, and nothing may break the connection.
  if (isDecided) return undefined
  if (response.headersSent) return next(error)
  held?.clear()
  return sendAnswer(response, errorAnswer(error))
}

/** Drops what a handler changed in the session before it threw. */
export function revertChanges(request: object): void {
  const { session } = request as { readonly session?: Partial<ServerSession> } // Ours, unless somebody took the name.
  session?.revert?.()
}

/** Tells those who run the server of an error whose sentence its answer does not show. */
export function tellMistake(request: object, error: SessionError): void {
  const { session } = request as { readonly session?: unknown } // Ours, unless somebody took the name.
  if (session instanceof AppSession) AppSession.openOf(session).core.report.tellMistake(error)
}

/** The answer of a session route, if this is one. */
function openRequest<S extends SessionSchema>(
  sessions: Sessions<S>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<CoreAnswer | undefined> {
  const core = toCoreRequest(request)
  // Before anything else: an error answer, too, must be readable for a page that may read the good one.
  for (const field of sessions.cors(core)) mergeHeader(nodeHeaders, response, field)
  return sessions.handle(core)
}

/** An answer of ours before the app was asked, unless somebody else was quicker. */
function sendOwn(request: IncomingMessage, response: ServerResponse, answer: CoreAnswer): void {
  if (isAnswered(response)) return discardAnswer(answer)
  if (isUnread(request, answer)) response.setHeader('connection', 'close')
  sendAnswer(response, answer)
}
