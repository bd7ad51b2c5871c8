// One request to a session route. Turns every answer, and every lack of one, into a value; nothing here throws,
// decides or remembers.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import { keepaliveBytes } from '../../protocol/limits.ts'
import { parseProblem } from '../../protocol/messages.ts'
import { headers } from '../../protocol/names.ts'
import type { MirrorState } from '../../protocol/state.ts'
import { retryAfterSeconds as retryAfterOf } from './retry-after.ts'

/** What became of one request to a session route. `M` is what the route's answers hold. */
export type ServerAnswer<M> =
  | { readonly kind: 'message'; readonly message: M }
  | { readonly kind: 'problem'; readonly code: SessionErrorCode; readonly retryAfterSeconds: number }
  /** No answer, or one that no session server gives (a proxy's error page). Never means signed out. */
  | {
      readonly kind: 'unreachable'
      readonly reason: 'offline' | 'unavailable'
      readonly retryAfterSeconds: number
    }

export type Fetch = (request: Request) => Promise<Response>

/** A later answer counts as none. The batch is sent again, and is applied only once all the same. */
const answerTimeoutMilliseconds = 10_000

/** One request to a session route, for an app that watches the traffic. */
export interface Exchange {
  /** Method and path, as in `POST /session/sync`. */
  readonly route: string
  /** The revision that came, the code of the error, or `offline` or `unavailable`. */
  readonly outcome: string
  /** How long the answer took. */
  readonly milliseconds: number
}

interface WithRevision {
  readonly revision: number
}

export interface SendOptions<M extends WithRevision> {
  readonly fetch: Fetch
  /** Reads an answer's body; throws when it is not one of this route's. */
  readonly parse: (body: unknown) => M
  readonly onExchange?: ((exchange: Exchange) => void) | undefined
}

/** Sends one request. Never rejects: no answer is an answer, too. */
export async function send<M extends WithRevision>(
  url: string,
  init: RequestInit,
  { fetch, parse, onExchange }: SendOptions<M>,
): Promise<ServerAnswer<M>> {
  const toRequest = (keepalive: boolean): Request =>
    new Request(url, {
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(answerTimeoutMilliseconds),
      ...init,
      keepalive,
      headers: { ...init.headers, [headers.request]: '1' },
    })
  const started = performance.now()
  const answer = await fetchWithoutRoom(fetch, toRequest, init.keepalive === true).then(
    (response) => toAnswer(response, parse),
    toUnreachable,
  )
  const route = `${init.method ?? 'GET'} ${new URL(url).pathname}`
  onExchange?.({ route, outcome: describe(answer), milliseconds: performance.now() - started })
  return answer
}

/**
 * A page may have 64 KiB of `keepalive` in flight, for all its scripts together. Where another one has used them up the request fails
 * at once, and looks like no network: then it goes out without. Every request of ours may be sent twice.
 */
async function fetchWithoutRoom(
  fetch: Fetch,
  toRequest: (keepalive: boolean) => Request,
  keepalive: boolean,
): Promise<Response> {
  try {
    return await fetch(toRequest(keepalive))
  } catch (error) {
    if (!keepalive || !(error instanceof TypeError) || globalThis.navigator?.onLine === false) throw error
    return fetch(toRequest(false))
  }
}

/** Posts what this browser knows of the session, and a batch if there is one. */
export function post<M extends WithRevision>(
  url: string,
  { mirror, batch }: { readonly mirror: MirrorState; readonly batch?: string },
  options: SendOptions<M>,
): Promise<ServerAnswer<M>> {
  const { epoch, owner, revision } = mirror
  const body = JSON.stringify({ epoch, owner, since: revision, ...(batch === undefined ? {} : { batch }) })
  // keepalive: a refresh cut short by a navigation would throw the new cookie away; a batch goes out when the
  // page closes.
  // Not the one that begins a session: its cookie could come after that of the sign-in that the page left for.
  const keepalive = epoch !== null && body.length * 3 < keepaliveBytes
  return send(
    url,
    { method: 'POST', body, keepalive, headers: { 'content-type': 'application/json' } },
    options,
  )
}

/**
 * The whole url of the session routes' base. Outside a browser (tests) there is no page to be relative to; a srcdoc or blank frame
 * and a worker from a blob are relative to their origin.
 */
export function absolute(base: string): string {
  if (typeof location === 'undefined') return base
  return new URL(base, /^(?:about|blob|data):/.test(location.href) ? origin : location.href).href
}

/** TypeError (no network) and AbortError (too late) mean the same to the session. */
function toUnreachable(): ServerAnswer<never> {
  return { kind: 'unreachable', reason: 'offline', retryAfterSeconds: 0 }
}

function describe(answer: ServerAnswer<WithRevision>): string {
  if (answer.kind === 'message') return `revision ${answer.message.revision}`
  return answer.kind === 'problem' ? answer.code : answer.reason
}

async function toAnswer<M>(response: Response, parse: (body: unknown) => M): Promise<ServerAnswer<M>> {
  const retryAfterSeconds = retryAfterOf(response.headers)
  try {
    const body: unknown = await response.json()
    if (response.ok) return { kind: 'message', message: parse(body) }
    const problem = parseProblem(body)
    if (problem !== undefined) return { kind: 'problem', code: problem.code, retryAfterSeconds }
  } catch {
    // Not JSON, or not ours: a proxy, a captive portal, a server without the session routes.
  }
  return { kind: 'unreachable', reason: 'unavailable', retryAfterSeconds }
}
