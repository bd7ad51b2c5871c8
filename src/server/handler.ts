// `createSessions`: the server's whole public face. Routes for the browser's SDK, and a session for each request
// of the app. Runs wherever fetch-style globals are; Node's own request and crypto come in by argument.
import { SessionError } from '../protocol/errors.ts'
import { headers } from '../protocol/names.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { createCommit } from './commit.ts'
import { createServerSession, openedBy } from './create-session.ts'
import { guard } from './guard.ts'
import { type Inspection, inspect } from './inspect.ts'
import { type Loaded, loadSession } from './load.ts'
import { openSession } from './open.ts'
import { type CoreOptions, createCore } from './options.ts'
import { type AnyRequest, type CoreRequest, toCoreRequest } from './request.ts'
import { type CoreAnswer, type Header, mergeCacheControl, mergeVary, problemAnswer } from './respond.ts'
import { createRotate } from './rotate.ts'
import { createRoutes, toError } from './routes.ts'
import type { ServerSession } from './session.ts'

export type RouteHandler<S extends SessionSchema> = (
  request: Request,
  session: ServerSession<S>,
) => Response | Promise<Response>

export interface Sessions<S extends SessionSchema = SessionSchema> {
  /** The answer of a session route; undefined when the path is none. */
  handle(request: CoreRequest): Promise<CoreAnswer | undefined>
  handleRequest(request: Request): Promise<Response | undefined>
  /**
   * The session of a request of the app. Without one it is empty and new; nothing is stored before it is changed
   * and saved.
   * @throws SessionError `stale` (refresh, then repeat), `lost` (unless `onLost: 'anonymous'`), `epoch-mismatch`
   * (the page believes in another session), `ambiguous-cookie`, `store-unavailable`. A page navigation renews a
   * stale cookie and never meets `lost`: `session.missing` says it.
   */
  load(request: AnyRequest): Promise<ServerSession<S>>
  /** `response` with the session's headers. The session must have been saved: unsaved changes set no cookie. */
  answer(session: ServerSession<S>, response: Response): Response
  /**
   * A fetch handler that loads the session, runs yours, saves, and answers; and answers the session routes too.
   * SessionErrors become problem answers, other errors are yours.
   */
  route(handler: RouteHandler<S>): (request: Request) => Promise<Response>
  /** For the app's own routes: refuses what another site made the browser send. @throws SessionError `cross-site` */
  guard(request: AnyRequest): void
  /** What the cookie and the store say, for people who debug. Never holds the session id or the cookie. */
  inspect(request: AnyRequest): Promise<Inspection>
  /** What adapters need to know of a loaded session. */
  progress(session: ServerSession<S>): SessionProgress
}

export interface SessionProgress {
  /** False while there is something that must be stored, or decided, before the answer may go. */
  readonly isSettled: boolean
  /** Whether there are changes that were not stored. */
  readonly isDirty: boolean
  /** The app's own `save` failed: the changes are not to be tried again behind its back. */
  readonly hasFailed: boolean
  /** Whether the answer depends on the session: a cookie came, or the app looked. */
  readonly isRead: boolean
  readonly isTouched: boolean
  /** Set-Cookie, Session-Revision and Session-Fresh-In. */
  headers(): Header[]
}

/** @throws SessionError `weak-secret`, `invalid-option` */
export function createSessions<const S extends SessionSchema>(options: CoreOptions<S>): Sessions<S> {
  const core = createCore(options)
  const commit = createCommit(core)
  const answerRoute = createRoutes({ core, commit, rotate: createRotate(core) })

  async function load(request: CoreRequest): Promise<ServerSession<S>> {
    const loaded = await loadSession(core, request, commit)
    checkLoaded(loaded, request, core.onLost)
    return createServerSession(openSession(core, request, { loaded, commit }))
  }

  async function handleRequest(request: Request): Promise<Response | undefined> {
    const answer = await answerRoute(toCoreRequest(request))
    return answer && toResponse(answer)
  }

  const sessions: Sessions<S> = {
    handle: answerRoute,
    handleRequest,
    load: async (request) => load(toCoreRequest(request)),
    answer: (session, response) => withHeaders(response, progressOf(session)),
    route: (handler) => async (request) => {
      try {
        const ours = await handleRequest(request)
        if (ours !== undefined) return ours
        const session = await load(toCoreRequest(request))
        const response = await handler(request, session)
        if (!progressOf(session).hasFailed) await session.save()
        return withHeaders(response, progressOf(session))
      } catch (error) {
        if (error instanceof SessionError) return toResponse(problemAnswer(error))
        throw error
      }
    },
    guard: (request) => guard(core, toCoreRequest(request)),
    inspect: async (request) => inspect(core, toCoreRequest(request)),
    progress: progressOf,
  }
  return sessions
}

function progressOf<S extends SessionSchema>(session: ServerSession<S>): SessionProgress {
  const open = openedBy(session)
  return {
    isSettled: open.isSettled,
    isDirty: open.isDirty,
    hasFailed: open.hasFailed,
    isRead: open.isTouched || open.loaded.state !== 'none',
    isTouched: open.isTouched,
    headers: () => open.headers(),
  }
}

function checkLoaded(loaded: Loaded, request: CoreRequest, onLost: 'refuse' | 'anonymous'): void {
  const isPage = isPageNavigation(request)
  if (loaded.state === 'dead' && loaded.reason === 'lost' && onLost === 'refuse' && !isPage)
    throw toError(loaded)
  if (loaded.state !== 'live') return
  if (loaded.isStale && !isPage) throw new SessionError('stale')
  const epoch = request.header(headers.epoch)
  if (epoch !== undefined && epoch !== loaded.record.epoch) throw new SessionError('epoch-mismatch')
}

/** A page that is being opened cannot refresh first, and has nobody to read a problem. */
function isPageNavigation(request: CoreRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  return isRead && request.header('sec-fetch-mode') === 'navigate'
}

function withHeaders(response: Response, progress: SessionProgress): Response {
  const merged = new Response(response.body, response)
  const { headers: fields } = merged
  let setsCookie = false
  for (const [name, value] of progress.headers()) {
    setsCookie ||= name === 'set-cookie'
    if (name === 'set-cookie') fields.append(name, value)
    else fields.set(name, value)
  }
  if (!progress.isRead) return merged
  fields.set('cache-control', mergeCacheControl(fields.get('cache-control') ?? undefined, setsCookie))
  fields.set('vary', mergeVary(fields.get('vary') ?? undefined, 'Cookie'))
  return merged
}

function toResponse({ status, headers: fields, body }: CoreAnswer): Response {
  const list = fields.map(([name, value]): [string, string] => [name, value])
  return new Response(status === 304 ? null : body, { status, headers: list })
}
