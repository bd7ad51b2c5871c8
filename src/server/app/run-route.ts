// One request to a route of the app by fetch: a session route is answered, everything else runs the app's handler and
// stores what it changed. Decides what a handler that fails keeps: nothing.
import { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import { refusal } from '../core/refusal.ts'
import { responseOf } from '../http/control-flow.ts'
import { problemAnswer } from '../http/core-answer.ts'
import { toResponse, withEnd } from '../http/fetch.ts'
import { AppSession } from './app-session.ts'
import type { OpenSession } from './open-session.ts'
import type { ServerSession } from './server-session.ts'
import type { RouteHandler, RouteOptions, Sessions } from './sessions.ts'

export type RouteParts<S extends SessionSchema, R extends Request, C extends readonly unknown[]> = Pick<
  Sessions<S>,
  'handle' | 'load' | 'answer' | 'problem'
> & {
  readonly handler: RouteHandler<S, R, C>
  readonly onError: RouteOptions['onError']
}

/** Leads from a request that is being answered to what answers it: a router of the app may stand in another `route`. */
const routed: unique symbol = Symbol('session-mirror.routed')
type RoutedRequest = Request & {
  [routed]?: { readonly load: unknown; readonly session: ServerSession } | undefined
}

/** Answers `request`. Throws what the handler throws, unless that is a SessionError or stands for an answer. */
export async function runRoute<S extends SessionSchema, R extends Request, C extends readonly unknown[]>(
  parts: RouteParts<S, R, C>,
  request: R,
  context: C,
): Promise<Response> {
  const outer = (request as RoutedRequest)[routed]
  if (outer === undefined) return answerFirst(parts, request, context)
  if (outer.load !== parts.load) return toResponse(parts.problem(refusal('session-taken'), request))
  // The outer one stores what is changed here, adds the headers, and judges what fails.
  return parts.handler(request, outer.session as ServerSession<S>, ...context) // Of the same sessions.
}

async function answerFirst<S extends SessionSchema, R extends Request, C extends readonly unknown[]>(
  parts: RouteParts<S, R, C>,
  request: R,
  context: C,
): Promise<Response> {
  const { handle, load, answer, problem } = parts
  try {
    const ours = await handle(request)
    if (ours !== undefined) return toResponse(ours)
    const session = await load(request)
    Reflect.set(request, routed, { load, session })
    const open = AppSession.openOf(session)
    try {
      const response = await runHandler(parts, { request, context, session })
      if (response.status >= 500) open.revert()
      if (!open.hasFailed) await open.finish()
      return answer(session, watched(parts, { response, request, open }), request)
    } finally {
      open.beginAnswer()
      Reflect.set(request, routed, undefined)
    }
  } catch (error) {
    if (error instanceof SessionError) return toResponse(problem(error, request))
    throw error
  }
}

const changedTooLate =
  'The session was changed after its answer had begun, and not saved: nothing was stored. Call `save` after such a change.'

/**
 * The response, whose end is watched when somebody wants to be told of what is changed while it is streamed and is not
 * saved. Not otherwise: one more stream would slow down every answer.
 */
function watched(
  { onError }: { readonly onError: RouteOptions['onError'] },
  {
    response,
    request,
    open,
  }: { readonly response: Response; readonly request: Request; readonly open: OpenSession },
): Response {
  if (onError === undefined) return response
  return withEnd(response, () => {
    // A moment later: a save may come right after the last piece.
    setTimeout(() => {
      if (open.hasLateChanges) onError(new SessionError('answer-begun', changedTooLate), request)
    }, 0)
  })
}

interface Call<S extends SessionSchema, R extends Request, C extends readonly unknown[]> {
  readonly request: R
  readonly context: C
  readonly session: ServerSession<S>
}

/** The handler's answer, also one that it threw. */
async function runHandler<S extends SessionSchema, R extends Request, C extends readonly unknown[]>(
  { handler }: RouteParts<S, R, C>,
  { request, context, session }: Call<S, R, C>,
): Promise<Response> {
  try {
    return await handler(request, session, ...context)
  } catch (error) {
    const response = responseOf(error)
    if (response !== undefined) return response
    session.revert()
    // What was saved before is still told, with its cookie.
    if (error instanceof SessionError) {
      AppSession.openOf(session).core.report.tellMistake(error)
      return toResponse(problemAnswer(error))
    }
    throw error
  }
}
