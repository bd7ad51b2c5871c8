// The app's own requests with the session attached: refreshed ahead, sent with the epoch this browser
// believes in, sent again once after a refresh, and listened to for news. The worker does it for every
// listed request, `session.fetch` for a page that no worker controls.
import { parseProblem, parseRevisionHeader } from '../protocol/messages.ts'
import { headers } from '../protocol/names.ts'
import type { Hint } from './channel.ts'
import type { KnownSession } from './known.ts'
import type { Refresh } from './refresh.ts'
import type { Fetch } from './send.ts'

export interface AttachOptions {
  readonly known: KnownSession
  readonly refresh: Refresh
  readonly now: () => number
  /** Called, and awaited, when an answer tells of another session than the mirror's, or of none. */
  readonly onOther: (hint: Hint) => Promise<unknown>
  /** Called when an answer tells of a newer revision of the same session. */
  readonly onNewer: (hint: Hint) => void
  readonly onRetry?: () => void
}

/** `fetch` for a request of this origin's own page. Throws only what `upstream` throws. */
export function attachedFetch(options: AttachOptions, upstream: Fetch): Fetch {
  const { known, refresh, now } = options

  async function send(request: Request): Promise<Response> {
    const { epoch } = known.document.mirror
    if (epoch === null) return upstream(request)
    const sentHeaders = new Headers(request.headers)
    sentHeaders.set(headers.epoch, epoch)
    return upstream(new Request(request, { headers: sentHeaders, credentials: credentialsOf(request) }))
  }

  async function listen(response: Response): Promise<void> {
    const value = response.headers.get(headers.revision)
    if (value === null) return
    const { epoch, revision } = known.document.mirror
    const said = parseRevisionHeader(value) ?? { epoch: null, revision: 0 }
    if (said.epoch !== epoch) await options.onOther(said)
    else if (said.revision > revision) options.onNewer(said)
  }

  return async (request) => {
    await refresh.ahead()
    // Kept for the one retry. A body that cannot be cloned was refreshed for above and is sent once.
    const spare = copyOf(request)
    const sentAt = now()
    let response = await send(request)
    if (spare !== undefined && (await isStale(response)) && (await refresh.after(sentAt)).kind === 'fresh') {
      options.onRetry?.()
      response = await send(spare)
    }
    await listen(response)
    return response
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

/** `include` for a listed origin other than ours; an app's explicit `omit` stays what it is. */
function credentialsOf(request: Request): RequestCredentials {
  const isOwn = typeof location === 'undefined' || new URL(request.url).origin === location.origin
  return request.credentials === 'omit' || isOwn ? request.credentials : 'include'
}

async function isStale(response: Response): Promise<boolean> {
  if (response.status !== 401 || !response.headers.get('content-type')?.includes('problem+json')) return false
  try {
    return parseProblem(await response.clone().json())?.code === 'stale'
  } catch {
    return false // An answer that broke off is the app's to read, not ours to judge.
  }
}
