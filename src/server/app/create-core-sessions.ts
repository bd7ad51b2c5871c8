// The server's public face, put together: routes for the browser's SDK, and a session for each request of the app. Runs
// wherever fetch-style globals are; Node's own crypto and channels come in by option.
import { SessionError } from '../../protocol/errors.ts'
import { callback, checkOptions, described } from '../../protocol/check-options.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { Placed } from '../codec/record.ts'
import { enter } from '../core/carry.ts'
import { type Core, tellRefusal } from '../core/core.ts'
import { corsHeaders } from '../core/cors.ts'
import { bindReport } from '../core/error-report.ts'
import { checkEpoch, checkProxy, guard, isSafe } from '../core/guard.ts'
import { invalidOption, refusal } from '../core/refusal.ts'
import { toResponse, withSession } from '../http/fetch.ts'
import { behindProxies } from '../http/proxy.ts'
import { type AnyRequest, type CoreRequest, isNodeRequest, toCoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, problemAnswer, withHeaders } from '../http/core-answer.ts'
import { type Lifecycle, createLifecycle } from '../lifecycle/lifecycle.ts'
import { loadAny } from '../lifecycle/load.ts'
import { type Loaded, noneLoaded } from '../lifecycle/loaded.ts'
import { type Beginning, Watching } from '../routes/follower.ts'
import { inspect } from '../routes/inspect.ts'
import { createRoutes } from '../routes/routes.ts'
import { OpenSession } from './open-session.ts'
import type { CoreOptions } from './core-options.ts'
import { createCore } from './create-core.ts'
import { AppSession } from './app-session.ts'
import { revokeAllOptions, watchOptions } from './known-options.ts'
import type { ServerSession } from './server-session.ts'
import { runRoute } from './run-route.ts'
import type { SessionWatch, Sessions, WatchOptions } from './sessions.ts'

/**
 * The sessions of an app, with whatever cryptography the options give. The door's `createSessions` gives Node's.
 * @throws SessionError `weak-secret`, `invalid-option`
 */
export function createCoreSessions<const S extends SessionSchema>(options: CoreOptions<S>): Sessions<S> {
  const core = createCore(options)
  const entrance = createEntrance(core)
  const { owners } = entrance.lifecycle
  const answerRoute = createRoutes(core, (request) => entrance.enter(request))
  const load = createLoad<S>(entrance)
  const handle: Sessions<S>['handle'] = (request) => answerRoute(incoming(core, request))
  const answer: Sessions<S>['answer'] = (session, response, request) =>
    withSession(response, AppSession.openOf(session), request === undefined ? [] : cors(core, request))
  const parts: Pick<Sessions<S>, 'handle' | 'load' | 'answer' | 'problem'> = {
    handle,
    load,
    answer,
    problem: (error, request) => problem(core, error, request),
  }

  const sessions: Sessions<S> = {
    handle,
    async handleRequest(request) {
      const ours = await handle(request)
      return ours && toResponse(ours)
    },
    load,
    read: (request) => readFor<S>(entrance, incoming(core, request)),
    answer,
    route(handler, given = {}) {
      checkOptions('sessions.route', given, { checks: { onError: callback } })
      const { onError = core.report.onError } = given
      return (request, ...context) => runRoute({ ...parts, handler, onError }, request, context)
    },
    watch: (target, given) => watch(entrance, target, given),
    guard(request) {
      watched(core, () => guard(core, incoming(core, request)))
    },
    problem: parts.problem,
    cors: (request) => cors(core, request),
    list: async (owner) => owners.list(toOwner('list', owner)),
    revoke: async (owner, id) => owners.end(toOwner('revoke', owner), id),
    async revokeAll(owner, choice = {}) {
      checkOptions('sessions.revokeAll', choice, revokeAllOptions)
      const { except } = choice
      return owners.endAll(toOwner('revokeAll', owner), {
        reason: 'revoked',
        except: except === undefined ? undefined : { epoch: except },
      })
    },
    revokeEverybody: () => owners.endEverybody(),
    async getById(owner, id) {
      const present = await owners.find(toOwner('getById', owner), id)
      return present && withoutRequest<S>(entrance.lifecycle, present)
    },
    async inspect(request) {
      const entered = entrance.enter(incoming(core, request))
      return inspect(entered.lifecycle.core, entered.request)
    },
    progress: (session) => AppSession.openOf(session),
  }
  bindReport(sessions, core.report)
  return sessions
}

interface Entrance {
  /** For all requests, where sessions are in a store of the server. */
  readonly lifecycle: Lifecycle
  /** What one request works with, and the request as it is to be read. */
  enter(request: CoreRequest): { readonly lifecycle: Lifecycle; readonly request: CoreRequest }
}

function createEntrance(core: Core): Entrance {
  const lifecycle = createLifecycle(core)
  return {
    lifecycle,
    enter(request) {
      if (core.carriedStore === undefined) return { lifecycle, request }
      const own = enter(core, request)
      return { lifecycle: createLifecycle(own.core), request: own.request }
    },
  }
}

/** The request as the browser sent it. */
function incoming(core: Core, request: AnyRequest): CoreRequest {
  return behindProxies(toCoreRequest(request), core.proxies)
}

/** One request of Node has one session, whoever asks for it: two would save past each other. */
function createLoad<S extends SessionSchema>(entrance: Entrance): Sessions<S>['load'] {
  const { core } = entrance.lifecycle
  // On the request itself, under a name of these sessions alone: a WeakMap costs more for each request.
  const loading = Symbol('session-mirror loading')
  type Marked = object & { [loading]?: Promise<ServerSession<S>> }
  return (request) => {
    if (!isNodeRequest(request)) return loadFor<S>(entrance, incoming(core, request))
    const marked: Marked = request
    marked[loading] ??= loadFor<S>(entrance, incoming(core, request))
    return marked[loading]
  }
}

async function loadFor<S extends SessionSchema>(
  entrance: Entrance,
  from: CoreRequest,
): Promise<ServerSession<S>> {
  const { lifecycle, request } = entrance.enter(from)
  const { core } = lifecycle
  try {
    checkProxy(core, from)
    const loaded = await loadAny(lifecycle, request)
    checkLoaded(core, loaded, from)
    const present = loaded.state === 'live' ? loaded : undefined
    return new AppSession<S>(new OpenSession(lifecycle, { loaded, request, present }))
  } catch (error) {
    throw told(core, error)
  }
}

async function readFor<S extends SessionSchema>(
  entrance: Entrance,
  from: CoreRequest,
): Promise<ServerSession<S>> {
  const { lifecycle, request } = entrance.enter(from)
  const { core } = lifecycle
  try {
    checkProxy(core, from)
    const loaded = await loadAny(lifecycle, request)
    const present = loaded.state === 'live' ? loaded : undefined
    // Without the request: no answer of it can carry a cookie.
    return new AppSession<S>(
      new OpenSession(lifecycle, { loaded, request: undefined, present, isReadOnly: true }),
    )
  } catch (error) {
    throw told(core, error)
  }
}

/** A session that no cookie of this request named. */
function withoutRequest<S extends SessionSchema>(lifecycle: Lifecycle, present: Placed): ServerSession<S> {
  return new AppSession<S>(new OpenSession(lifecycle, { loaded: noneLoaded, request: undefined, present }))
}

/** Watches what `target` names, until it ends or is closed. */
function watch<S extends SessionSchema>(
  entrance: Entrance,
  target: AnyRequest | ServerSession<S>,
  options: WatchOptions<S>,
): SessionWatch {
  checkOptions('sessions.watch', options, watchOptions)
  const { onChange, onEnd } = options
  const { lifecycle, find } =
    target instanceof AppSession ? ofSession(target) : ofRequest(entrance, target as AnyRequest) // Nothing else.
  return new Watching(lifecycle, find, {
    onChange: (present) => onChange?.(withoutRequest<S>(lifecycle, present)),
    onEnd: (reason) => onEnd?.(reason),
  })
}

interface Watched {
  readonly lifecycle: Lifecycle
  /** What there is in the beginning. */
  find(): Promise<Beginning>
}

function ofSession(session: object): Watched {
  const { lifecycle, present, loaded } = AppSession.openOf(session)
  const beginning: Beginning =
    present === undefined ? (loaded.state === 'dead' ? loaded : noneLoaded) : { ...present, state: 'live' }
  return { lifecycle, find: () => Promise.resolve(beginning) }
}

function ofRequest(entrance: Entrance, request: AnyRequest): Watched {
  const entered = entrance.enter(incoming(entrance.lifecycle.core, request))
  return { lifecycle: entered.lifecycle, find: () => loadAny(entered.lifecycle, entered.request) }
}

/** @throws SessionError `lost`, `stale`, `epoch-mismatch`, `ambiguous-cookie` */
function checkLoaded(core: Core, loaded: Loaded, request: CoreRequest): void {
  const isPage = isPageNavigation(request)
  if (loaded.state === 'dead' && loaded.reason === 'lost' && core.onLost === 'refuse' && !isPage)
    throw refusal('lost')
  // What can sign in or out goes on; nothing else may take either session, or begin a third.
  if (loaded.state === 'dead' && loaded.rivals !== undefined && isSafe(request.method) && !isPage)
    throw refusal('ambiguous-cookie')
  if (loaded.state !== 'live') return
  if (loaded.isStale && !isPage && !isUnrepeatable(request)) throw refusal('stale')
  checkEpoch(request, loaded.record.epoch)
}

/** A page that is being opened, or a form of ours that is sent, cannot refresh first, and has nobody to read a problem. */
function isPageNavigation(request: CoreRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const isOurs = isRead || request.header('sec-fetch-site') === 'same-origin'
  return isOurs && request.header('sec-fetch-mode') === 'navigate'
}

/**
 * What a page of ours asks for without a script that could refresh first, or send it again: an image, a style sheet, a lazy chunk
 * (their destination is named), a beacon (`no-cors`), the handshake of a WebSocket. The answer renews the cookie, where it can.
 */
function isUnrepeatable(request: CoreRequest): boolean {
  if (request.header('sec-fetch-site') !== 'same-origin') return false
  const mode = request.header('sec-fetch-mode')
  if (mode === 'no-cors' || mode === 'websocket') return true
  const destination = request.header('sec-fetch-dest') ?? 'empty'
  return destination !== 'empty' && (request.method === 'GET' || request.method === 'HEAD')
}

function cors(core: Core, request: AnyRequest): Header[] {
  if (core.allowedOrigins.length === 0) return []
  return [['vary', 'Origin'], ...corsHeaders(core, toCoreRequest(request))]
}

function problem(core: Core, error: SessionError, request: AnyRequest): CoreAnswer {
  core.report.tellMistake(error)
  return withHeaders(problemAnswer(error), corsHeaders(core, toCoreRequest(request)))
}

function watched(core: Core, run: () => void): void {
  try {
    run()
  } catch (error) {
    throw told(core, error)
  }
}

/** The error itself, after those who watch refusals were told. */
function told(core: Core, error: unknown): unknown {
  if (error instanceof SessionError) tellRefusal(core, error)
  return error
}

/** Any text may be asked for, also one that signs nobody in. @throws SessionError `invalid-option` */
function toOwner(method: string, owner: unknown): string {
  if (typeof owner === 'string') return owner
  throw invalidOption(
    `sessions.${method} takes the owner as a text, not ${described(owner, { isSecret: true })}.`,
  )
}
