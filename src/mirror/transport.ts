// The session routes as the browser calls them. Turns every answer, and every lack of one, into a value;
// nothing here throws, decides or remembers.
import type { SessionErrorCode } from '../protocol/errors.ts'
import { type MirrorMessage, parseMirrorMessage, parseProblem } from '../protocol/messages.ts'
import { headers, routesOf } from '../protocol/names.ts'
import type { Epoch, Mirror } from '../protocol/state.ts'
import { limits } from '../protocol/limits.ts'

export type Answer =
  | { readonly kind: 'message'; readonly message: MirrorMessage }
  | { readonly kind: 'problem'; readonly code: SessionErrorCode; readonly retryAfterSeconds: number }
  /** No answer, or one that no session server gives (a proxy's error page). Never means signed out. */
  | {
      readonly kind: 'unreachable'
      readonly reason: 'offline' | 'unavailable'
      readonly retryAfterSeconds: number
    }

export type Fetch = (request: Request) => Promise<Response>

export interface Transport {
  /** The mirror since our revision; `whole` asks for all of it. */
  pull(mirror: Mirror, whole: boolean): Promise<Answer>
  sync(mirror: Mirror, batch: string): Promise<Answer>
  refresh(mirror: Mirror): Promise<Answer>
  /** Ends the session `epoch`, and only that one: a newer sign-in in the same browser stays. */
  signOut(epoch: Epoch): Promise<Answer>
}

/** An answer later than this counts as none; the batch is sent again, and applied once all the same. */
const patience = 10_000

/** One request to a session route, for whoever watches. */
export interface Exchange {
  readonly route: string
  readonly outcome: string
  readonly milliseconds: number
}

export interface TransportOptions {
  /** The base of the session routes, for example `/session`. */
  readonly base: string
  readonly fetch: Fetch
  readonly onExchange?: ((exchange: Exchange) => void) | undefined
}

export function createTransport({ base, fetch, onExchange }: TransportOptions): Transport {
  // Outside a browser (tests, server rendering) there is no page to be relative to: the base is absolute there.
  const routes = routesOf(typeof location === 'undefined' ? base : new URL(base, location.href).href)

  async function send(url: string, init: RequestInit): Promise<Answer> {
    const request = new Request(url, {
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(patience),
      ...init,
      headers: { ...init.headers, [headers.request]: '1' },
    })
    const started = performance.now()
    const answer = await fetch(request).then(toAnswer, toUnreachable)
    const route = `${request.method} ${new URL(url).pathname}`
    onExchange?.({ route, outcome: describe(answer), milliseconds: performance.now() - started })
    return answer
  }

  function post(url: string, { epoch, owner, revision }: Mirror, batch?: string): Promise<Answer> {
    const body = JSON.stringify({ epoch, owner, since: revision, ...(batch === undefined ? {} : { batch }) })
    // keepalive: a refresh cut short by a navigation would throw the new cookie away; a batch goes out
    // when the page closes.
    const keepalive = body.length * 3 < limits.keepaliveBytes
    return send(url, { method: 'POST', body, keepalive, headers: { 'content-type': 'application/json' } })
  }

  return {
    pull: (mirror, whole) => send(`${routes.mirror}${whole ? '' : queryOf(mirror)}`, { method: 'GET' }),
    sync: (mirror, batch) => post(routes.sync, mirror, batch),
    refresh: (mirror) => post(routes.refresh, mirror),
    signOut: (epoch) =>
      send(routes.mirror, { method: 'DELETE', keepalive: true, headers: { [headers.epoch]: epoch } }),
  }
}

function queryOf({ epoch, revision }: Mirror): string {
  return epoch === null ? '' : `?since=${revision}&epoch=${epoch}`
}

/** TypeError (no network) and AbortError (too late) are all the same to the session. */
function toUnreachable(): Answer {
  return { kind: 'unreachable', reason: 'offline', retryAfterSeconds: 0 }
}

function describe(answer: Answer): string {
  if (answer.kind === 'message') return `revision ${answer.message.revision}`
  return answer.kind === 'problem' ? answer.code : answer.reason
}

async function toAnswer(response: Response): Promise<Answer> {
  const retryAfterSeconds = Number(response.headers.get('retry-after')) || 0
  try {
    const body: unknown = await response.json()
    if (response.ok) return { kind: 'message', message: parseMirrorMessage(body) }
    const problem = parseProblem(body)
    if (problem !== undefined) return { kind: 'problem', code: problem.code, retryAfterSeconds }
  } catch {
    // Not JSON, or not ours: a proxy, a captive portal, a server without the session routes.
  }
  return { kind: 'unreachable', reason: 'unavailable', retryAfterSeconds }
}
