// The types of a server's public face: what `createSessions` gives.
import type { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { SessionProgress } from '../http/progress.ts'
import type { AnyRequest } from '../http/request.ts'
import type { CoreAnswer, Header } from '../http/core-answer.ts'
import type { DeadReason } from '../lifecycle/loaded.ts'
import type { EndedAll, OwnedSession } from '../lifecycle/owners.ts'
import type { Inspection } from '../routes/inspect.ts'
import type { ServerSession } from './server-session.ts'

/**
 * A handler of the app for `sessions.route`. `R` is the framework's kind of request, `C` what it gives beside the
 * request, such as Next's `{ params }`.
 */
export type RouteHandler<
  S extends SessionSchema,
  R extends Request = Request,
  C extends readonly unknown[] = readonly [],
> = (request: R, session: ServerSession<S>, ...context: C) => Response | Promise<Response>

/** The options of `revokeAll`. */
export interface RevokeAllOptions {
  /** The id of the session that stays: its `epoch`. @default none */
  readonly except?: string
}

/** Why a watched session is over: why it is dead, or `none` when there was none from the beginning. */
export type WatchEnd = DeadReason | 'none'

/** Options of `sessions.watch`: who is told of what. */
export interface WatchOptions<S extends SessionSchema = SessionSchema> {
  /**
   * Told, after a change, with the session as it is now: to read, or to change and `save`. Changes in quick succession are
   * told once. What it throws is an uncaught exception, as in any listener. @default nobody is told
   */
  readonly onChange?: ((session: ServerSession<S>) => void) | undefined
  /**
   * Told once, when the session is over: signed out or revoked, replaced by a sign-in or `regenerate` (`ended`), `expired`,
   * `lost`, `reuse`; or `none`, where the request had no session. Close the connection then. @default nobody is told
   */
  readonly onEnd?: ((reason: WatchEnd) => void) | undefined
}

/** What `sessions.watch` gives. */
export interface SessionWatch {
  /** Stops: nobody is told any more. Call it when the connection closes. Does nothing the second time. */
  close(): void
}

/** Options of `sessions.route`. */
export interface RouteOptions {
  /**
   * Told, at the end of a streamed answer, that the session was changed after the answer had begun and was not saved:
   * a SessionError `answer-begun`. Costs each answer a stream of its own: 4 µs. Must not throw.
   * @default the `onError` of `createSessions`
   */
  readonly onError?: ((error: SessionError, request: Request) => void) | undefined
}

/** The sessions of an app: routes for the browser's SDK, and a session for each request of the app. */
export interface Sessions<S extends SessionSchema = SessionSchema> {
  /**
   * The answer of a session route, or of a preflight from an allowed origin; undefined for every other request. Refusals
   * are answers, too: it rejects only for a bug.
   */
  handle(request: AnyRequest): Promise<CoreAnswer | undefined>
  /** `handle` with a `Response`. In a browser use `handle`: a `Response` there drops Set-Cookie. */
  handleRequest(request: Request): Promise<Response | undefined>
  /**
   * The session of a request of the app. Without one it is empty and new; nothing is stored before it is changed and
   * saved. A request of Node has one session, however often it is asked for.
   * @throws SessionError `stale` (refresh, then repeat); `lost` (unless `onLost: 'anonymous'`); `epoch-mismatch` (the
   * page believes in another session); `ambiguous-cookie`; `store-unavailable`. A page navigation renews a stale cookie
   * and never meets `lost`: `session.missing` says it.
   */
  load(request: AnyRequest): Promise<ServerSession<S>>
  /**
   * The session of a request, to look at where nobody can be answered that it must be refreshed first: server components,
   * loaders, the handshake of a WebSocket. Where `load` throws, `isStale` or `missing` says it, and a session that cannot be had
   * is empty. It extends the idle time like any use; it cannot be changed, and sets no cookie.
   * @throws SessionError `store-unavailable`, `proxy-untrusted`: who is there is not known then
   * @example
   * const session = await sessions.read(request)
   * if (session.owner === null) return socket.destroy()
   */
  read(request: AnyRequest): Promise<ServerSession<S>>
  /**
   * A copy of `response` with the session's headers; with the request also those that let a page of an allowed origin
   * read it. Save the session before: unsaved changes set no cookie.
   * @throws SessionError `invalid-option` for a session that these sessions did not give
   */
  answer(session: ServerSession<S>, response: Response, request?: Request): Response
  /**
   * A fetch handler that loads the session, runs yours, saves, and answers. It answers the session routes, too. What the
   * framework gives beside the request comes after the session.
   *
   * An answer of 5xx, and an error that the handler throws, keep nothing that was not saved with `save`. What frameworks
   * throw to answer (a `Response`; Next's `redirect`, `notFound` and their like; SvelteKit's `redirect` and `error`) is an
   * answer: it keeps the changes and has the cookie. SessionErrors become problem answers; other errors are yours.
   * @example export const GET = sessions.route((request, session) => Response.json(session.get('theme')))
   * @example
   * export const POST = sessions.route(async (request, session, { params }: { params: Promise<{ id: string }> }) => {
   *   session.set('item', (await params).id)
   *   redirect('/')
   * })
   */
  route<R extends Request = Request, C extends readonly unknown[] = readonly []>(
    handler: RouteHandler<S, R, C>,
    options?: RouteOptions,
  ): (request: R, ...context: C) => Promise<Response>
  /**
   * Watches a session for a connection that outlives its request: a WebSocket, a stream of the app's own. Told within
   * milliseconds of what happens in this process, and of the rest within a `heartbeatSeconds`, at once with a `feed` between
   * processes. Watching does not use the session: its idle time goes on. A store that does not answer is no end, and is asked
   * again. Give the session that you have read, so that no change in between is missed; a request is looked at anew.
   *
   * Neither throws nor rejects, whatever the store does. Where the cookie keeps the session, only its end by time is seen.
   * @throws SessionError `invalid-option` for wrong options, at once
   * @example
   * const watch = sessions.watch(request, { onEnd: () => socket.close(4401, 'signed out') })
   * socket.on('close', () => watch.close())
   */
  watch(watched: AnyRequest | ServerSession<S>, options: WatchOptions<S>): SessionWatch
  /** For the app's own routes: refuses what another site made the browser send. @throws SessionError `cross-site` */
  guard(request: AnyRequest): void
  /** A SessionError as an answer to `request`: a problem document of RFC 9457. */
  problem(error: SessionError, request: AnyRequest): CoreAnswer
  /** What lets a page of an allowed origin read any answer to `request`, with its `Vary`. Often none. */
  cors(request: AnyRequest): Header[]
  /**
   * The live sessions of an owner, the last used one first.
   * @throws SessionError `store-unavailable`; `unsupported` where sessions are kept in cookies alone
   */
  list(owner: string): Promise<OwnedSession[]>
  /**
   * Ends one of an owner's sessions, at once and for good.
   * @returns false when the owner has no live session of that id
   * @throws SessionError `store-unavailable`, `contention`, `unsupported`
   */
  revoke(owner: string, id: string): Promise<boolean>
  /**
   * Ends all sessions of an owner, or all but `except`: after a change of password, or by an administrator. Says how many have
   * ended, and whether these were all; one that the lists' store has forgotten ends when it next refreshes its cookie.
   * @throws SessionError `store-unavailable`, `contention`: some may have ended, so call it again; `unsupported`
   * @example const { ended, isComplete } = await sessions.revokeAll('ada')
   */
  revokeAll(owner: string, options?: RevokeAllOptions): Promise<EndedAll>
  /**
   * Ends every session of everybody who is signed in, each when it next refreshes its cookie: within `freshSeconds` of its
   * next use. For the day after a break-in. What nobody is signed in to goes on. Costs one write; to end all of them at
   * once, replace all secrets instead.
   * @throws SessionError `store-unavailable`, `contention`: nothing has ended, so call it again; `unsupported`
   */
  revokeEverybody(): Promise<void>
  /**
   * One of an owner's sessions, to read or change it for them; `save` it yourself. Undefined when there is none.
   * @throws SessionError `store-unavailable`, `unsupported`
   */
  getById(owner: string, id: string): Promise<ServerSession<S> | undefined>
  /**
   * What the cookie and the store say of a request's session, for people who debug. Never holds the session id or the
   * cookie.
   * @throws SessionError `ambiguous-cookie`, `store-unavailable`
   */
  inspect(request: AnyRequest): Promise<Inspection>
  /**
   * What an adapter needs to know of a loaded session while it holds the answer.
   * @throws SessionError `invalid-option` for a session that these sessions did not give
   */
  progress(session: ServerSession<S>): SessionProgress
}
