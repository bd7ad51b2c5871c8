// The app's own requests with the session attached: refreshed ahead, sent with the epoch this browser
// believes in, sent again once after a refresh, and listened to for news. The worker does it for every
// listed request, `session.fetch` for a page that no worker controls.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import { type Problem, parseProblem, parseRevisionHeader } from '../../protocol/messages.ts'
import { headers, noSession } from '../../protocol/names.ts'
import type { Hint } from '../tabs/channel.ts'
import { goneCodes } from '../steps/sign-out.ts'
import type { KnownSession } from './known-session.ts'
import type { Refresh } from './refresh.ts'
import type { Fetch } from '../wire/send.ts'

export interface AttachOptions {
  readonly known: KnownSession
  readonly refresh: Refresh
  readonly now: () => number
  /** Called, and awaited, when a sign-out has not reached the server: it goes before any request. */
  readonly onLeaving: () => Promise<unknown>
  /** Called, and awaited, when an answer tells of another session than the mirror's, or of none. */
  readonly onOther: (hint: Hint) => Promise<unknown>
  /** Called when an answer tells of a newer revision of the same session. */
  readonly onNewer: (hint: Hint) => void
  /** Called when a request is sent again after a refresh. */
  readonly onRetry?: () => void
  /** Called when an answer says nothing of the session: the server has none there, or another origin does not expose it. */
  readonly onSilent: (response: Response) => void
}

/**
 * `fetch` for the requests of this origin's own pages. Throws only what `upstream` throws, or the request's abort: where anything of
 * ours fails, the request goes out as it is, and its answer comes as it is.
 */
export function attachedFetch(options: AttachOptions, upstream: Fetch): Fetch {
  const { known, refresh, now } = options

  function send(request: Request): Promise<Response> {
    let sent = request
    try {
      sent = attach(request)
    } catch {
      // An engine that cannot make it anew: better without the session's part than not at all.
    }
    return upstream(sent)
  }

  function attach(request: Request): Request {
    const { leaving, epoch: own } = known.document
    // Signed out here, and the server does not know it yet: it must refuse what still comes with the old cookie.
    const epoch = leaving === null ? own : noSession
    const init = {
      credentials: credentialsOf(request),
      referrer: request.referrer,
      referrerPolicy: request.referrerPolicy,
    }
    if (epoch === null) return init.credentials === request.credentials ? request : new Request(request, init)
    const sentHeaders = new Headers(request.headers)
    sentHeaders.set(headers.epoch, epoch)
    return new Request(request, { ...init, headers: sentHeaders })
  }

  async function listen(response: Response, problem: Problem | undefined): Promise<void> {
    if (problem !== undefined && otherSessionCodes.includes(problem.code))
      return void (await options.onOther(unknown))
    const value = response.headers.get(headers.revision)
    if (value === null) return options.onSilent(response)
    const { epoch, revision } = known.document
    const said = parseRevisionHeader(value) ?? unknown
    if (said.epoch !== epoch) await options.onOther(said)
    else if (said.revision > revision) options.onNewer(said)
  }

  return async (request) => {
    // Without the cookie it is nobody's request.
    if (request.credentials === 'omit') return upstream(request)
    if (known.document.leaving !== null) await unlessAborted(request, options.onLeaving)
    await unlessAborted(request, refresh.ahead)
    // Kept for the one retry. A body that cannot be cloned was refreshed for above and is sent once.
    const spare = copyOf(request)
    const sentAt = now()
    let response = await send(request).catch((error: unknown) => {
      if (known.document.epoch === null || !isWorthBare(spare, error)) throw error
      return upstream(spare)
    })
    let problem = await problemOf(response)
    if (
      spare !== undefined &&
      problem?.code === 'stale' &&
      (await unlessAborted(request, () => refresh.after(sentAt)))?.kind === 'fresh'
    ) {
      options.onRetry?.()
      response = await send(spare)
      problem = await problemOf(response)
    }
    await listen(response, problem).catch(() => undefined)
    return response
  }
}

/**
 * A redirect to another origin fails where that does not allow our header (Fetch, section 4.4), and looks like no network. What changes
 * nothing is sent once more, without it.
 */
function isWorthBare(spare: Request | undefined, error: unknown): spare is Request {
  if (spare === undefined || !(error instanceof TypeError) || spare.signal.aborted) return false
  return (spare.method === 'GET' || spare.method === 'HEAD') && globalThis.navigator?.onLine !== false
}

/** The session that this browser believes in is not the cookie's, or has ended: only a pull says which one there is. */
const otherSessionCodes: readonly SessionErrorCode[] = ['epoch-mismatch', ...goneCodes]
const unknown: Hint = { epoch: null, revision: 0 }

/** An app that aborts its request need not wait for what is done before it. Undefined where that has failed. */
async function unlessAborted<T>({ signal }: Request, work: () => Promise<T>): Promise<T | undefined> {
  // Taken away again: the signal may be the app's for as long as the page lives.
  const listening = new AbortController()
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { signal: listening.signal })
  })
  try {
    return await Promise.race([work().catch(() => undefined), aborted])
  } finally {
    listening.abort()
  }
}

function copyOf(request: Request): Request | undefined {
  try {
    return request.clone()
  } catch {
    // The body is a stream that has been read, or that this engine cannot tee.
    return undefined
  }
}

/** `include` for a listed origin other than ours. */
function credentialsOf(request: Request): RequestCredentials {
  const isOwn = typeof location === 'undefined' || new URL(request.url).origin === origin
  return isOwn ? request.credentials : 'include'
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (response.status !== 401 && response.status !== 409) return undefined
  if (!response.headers.get('content-type')?.includes('problem+json')) return undefined
  try {
    return parseProblem(await response.clone().json())
  } catch {
    return undefined // An answer that broke off is the app's to read, not ours to judge.
  }
}

/** Remembers, for people who look for mistakes, a few answers that said nothing of the session. */
export function createSilent(): { note(response: Response): void; urls(): readonly string[] } {
  const urls = new Set<string>()
  return {
    note({ ok, url }) {
      if (ok && urls.size < 5) urls.add(url.split('?')[0] ?? '')
    },
    urls: () => [...urls],
  }
}
