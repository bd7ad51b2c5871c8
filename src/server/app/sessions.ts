// `createSessions`: the server's whole public face. Routes for the browser's SDK, and a session for each request
// of the app. Runs wherever fetch-style globals are; Node's own request and crypto come in by argument.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import { enter } from '../lifecycle/carry.ts'
import { createCommit } from '../lifecycle/commit.ts'
import type { Core } from '../core/core.ts'
import { corsHeaders } from '../core/cors.ts'
import { createServerSession, openedBy } from './server-session.ts'
import { createOpenEvents } from '../routes/events.ts'
import { toResponse, withSession } from '../http/fetch.ts'
import { guard } from '../core/guard.ts'
import { type Inspection, inspect } from '../routes/inspect.ts'
import { type Loaded, type Loading, loadSession, none } from '../lifecycle/load.ts'
import { openSession } from './open-session.ts'
import { type CoreOptions, createCore } from './options.ts'
import { type OwnedSession, createOwners } from '../lifecycle/owners.ts'
import type { SessionProgress } from '../http/progress.ts'
import { behindProxies } from '../http/proxy.ts'
import { type AnyRequest, type CoreRequest, toCoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, problemAnswer, withHeaders } from '../http/respond.ts'
import { createRotate } from '../lifecycle/rotate.ts'
import { createRoutes } from '../routes/routes.ts'
import type { ServerSession } from './session.ts'

export type RouteHandler<S extends SessionSchema> = (
  request: Request,
  session: ServerSession<S>,
) => Response | Promise<Response>

export interface Sessions<S extends SessionSchema = SessionSchema> {
  /** The answer of a session route, or of a preflight from an allowed origin; undefined for everything else. */
  handle(request: AnyRequest): Promise<CoreAnswer | undefined>
  handleRequest(request: Request): Promise<Response | undefined>
  /**
   * The session of a request of the app. Without one it is empty and new; nothing is stored before it is changed
   * and saved. A request of Node has one session, however often it is asked for.
   * @throws SessionError `stale` (refresh, then repeat), `lost` (unless `onLost: 'anonymous'`), `epoch-mismatch`
   * (the page believes in another session), `ambiguous-cookie`, `store-unavailable`. A page navigation renews a
   * stale cookie and never meets `lost`: `session.missing` says it.
   */
  load(request: AnyRequest): Promise<ServerSession<S>>
  /**
   * `response` with the session's headers; with the request also those that let a page of an allowed origin read
   * it. The session must have been saved: unsaved changes set no cookie.
   */
  answer(session: ServerSession<S>, response: Response, request?: Request): Response
  /**
   * A fetch handler that loads the session, runs yours, saves, and answers; and answers the session routes too.
   * SessionErrors become problem answers, other errors are yours.
   */
  route(handler: RouteHandler<S>): (request: Request) => Promise<Response>
  /** For the app's own routes: refuses what another site made the browser send. @throws SessionError `cross-site` */
  guard(request: AnyRequest): void
  /** A SessionError as an answer to `request`. */
  problem(error: SessionError, request: AnyRequest): CoreAnswer
  /** What lets a page of an allowed origin read any answer to `request`, with its `Vary`. Often none. */
  cors(request: AnyRequest): Header[]
  /** The live sessions of an owner, the last used one first. @throws SessionError `store-unavailable` */
  list(owner: string): Promise<OwnedSession[]>
  /**
   * Ends one of an owner's sessions, at once and for good. False when the owner has none of that id.
   * @throws SessionError `store-unavailable`, `contention`
   */
  revoke(owner: string, id: string): Promise<boolean>
  /**
   * Ends all sessions of an owner, or all but one, and says how many: after a change of password, or by an
   * administrator. One that the store has forgotten to list ends when it next refreshes its cookie.
   * @throws SessionError `store-unavailable`, `contention`: some may have ended; call it again
   */
  revokeAll(owner: string, options?: { readonly except?: string }): Promise<number>
  /**
   * One of an owner's sessions, to read or change it for them; `save` it yourself. Undefined when there is none.
   * @throws SessionError `store-unavailable`
   */
  getById(owner: string, id: string): Promise<ServerSession<S> | undefined>
  /** What the cookie and the store say, for people who debug. Never holds the session id or the cookie. */
  inspect(request: AnyRequest): Promise<Inspection>
  /** What adapters need to know of a loaded session. */
  progress(session: ServerSession<S>): SessionProgress
}

/** @throws SessionError `weak-secret`, `invalid-option` */
export function createSessions<const S extends SessionSchema>(options: CoreOptions<S>): Sessions<S> {
  const core = createCore(options)
  const tools = toolsOf(core)
  const answerRoute = createRoutes({ core, openEvents: createOpenEvents(tools), enter: entered })
  const { owners } = tools
  const incoming = (request: AnyRequest): CoreRequest => behindProxies(toCoreRequest(request), core.proxies)
  const handle = (request: AnyRequest): Promise<CoreAnswer | undefined> => answerRoute(incoming(request))

  function entered(request: CoreRequest): { readonly tools: Loading; readonly request: CoreRequest } {
    if (core.carriedStore === undefined) return { tools, request }
    const own = enter(core, request)
    return { tools: toolsOf(own.core), request: own.request }
  }

  // One request has one session, whoever asks for it: two would save past each other.
  const loading = new WeakMap<object, Promise<ServerSession<S>>>()

  function load(request: AnyRequest): Promise<ServerSession<S>> {
    if (!('socket' in request)) return loadFor(incoming(request))
    const started = loading.get(request) ?? loadFor(incoming(request))
    loading.set(request, started)
    return started
  }

  async function loadFor(from: CoreRequest): Promise<ServerSession<S>> {
    const own = entered(from)
    try {
      const loaded = await loadSession(own.tools, own.request)
      checkLoaded(loaded, from, core.onLost)
      const present = loaded.state === 'live' ? loaded : undefined
      return createServerSession(openSession(own.tools, { loaded, request: own.request, present }))
    } catch (error) {
      throw refused(error)
    }
  }

  function refused(error: unknown): unknown {
    if (error instanceof SessionError) core.watch.tell('refuse', { code: error.code })
    return error
  }

  function cors(request: AnyRequest): Header[] {
    if (core.allowedOrigins.length === 0) return []
    return [['vary', 'Origin'], ...corsHeaders(core, toCoreRequest(request))]
  }

  const problem = (error: SessionError, request: AnyRequest): CoreAnswer =>
    withHeaders(problemAnswer(error), corsHeaders(core, toCoreRequest(request)))
  const answer = (session: ServerSession<S>, response: Response, request?: Request): Response =>
    withSession(response, progressOf(session), request === undefined ? [] : cors(request))

  return {
    handle,
    async handleRequest(request) {
      const ours = await handle(request)
      return ours && toResponse(ours)
    },
    load,
    answer,
    route: (handler) => async (request) => {
      try {
        const ours = await handle(request)
        if (ours !== undefined) return toResponse(ours)
        const session = await load(request)
        const response = await handler(request, session)
        const progress = progressOf(session)
        if (!progress.hasFailed) await progress.finish()
        return answer(session, response, request)
      } catch (error) {
        if (error instanceof SessionError) return toResponse(problem(error, request))
        throw error
      }
    },
    guard(request) {
      try {
        guard(core, incoming(request))
      } catch (error) {
        throw refused(error)
      }
    },
    problem,
    cors,
    list: (owner) => owners.list(owner),
    revoke: (owner, id) => owners.end(owner, id),
    revokeAll: (owner, { except } = {}) =>
      owners.endAll(owner, {
        reason: 'revoked',
        except: except === undefined ? undefined : { epoch: except },
      }),
    async getById(owner, id) {
      const present = await owners.find(owner, id)
      if (present === undefined) return undefined
      return createServerSession(openSession(tools, { loaded: none, request: undefined, present }))
    },
    inspect: async (request) => {
      const own = entered(incoming(request))
      return inspect(own.tools.core, own.request)
    },
    progress: progressOf,
  }

  function progressOf(session: ServerSession<S>): SessionProgress {
    const open = openedBy(session)
    return {
      isSettled: open.isSettled,
      isDirty: open.isDirty && core.autoSave,
      hasFailed: open.hasFailed,
      isRead: open.isTouched || open.loaded.state !== 'none',
      isTouched: open.isTouched,
      needsCookie: open.needsCookie,
      vary: core.allowedOrigins.length === 0 ? 'Cookie' : 'Cookie, Origin',
      finish: () => open.finish(),
      headers: () => open.headers(),
    }
  }
}

function toolsOf(core: Core): Loading {
  return { core, commit: createCommit(core), owners: createOwners(core), rotate: createRotate(core) }
}

function checkLoaded(loaded: Loaded, request: CoreRequest, onLost: 'refuse' | 'anonymous'): void {
  const isPage = isPageNavigation(request)
  if (loaded.state === 'dead' && loaded.reason === 'lost' && onLost === 'refuse' && !isPage)
    throw new SessionError('lost')
  if (loaded.state !== 'live') return
  if (loaded.isStale && !isPage) throw new SessionError('stale')
  const epoch = request.header(headers.epoch)
  if (epoch !== undefined && epoch !== loaded.record.epoch) throw new SessionError('epoch-mismatch')
}

/** A page that is being opened, or a form of ours that is sent, cannot refresh first, and has nobody to read a problem. */
function isPageNavigation(request: CoreRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const isOurs = isRead || request.header('sec-fetch-site') === 'same-origin'
  return isOurs && request.header('sec-fetch-mode') === 'navigate'
}
