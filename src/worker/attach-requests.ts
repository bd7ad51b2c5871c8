// Answers a page's listed request with the session attached. What changes nothing leaves at once, on what this worker
// remembers; everything else waits until storage has been read.
import { parseRevisionHeader } from '../protocol/messages.ts'
import { headers } from '../protocol/names.ts'
import type { WorkerReport } from '../protocol/worker-messages.ts'
import { type MirrorDocument, isBlank } from '../mirror/steps/local-state.ts'
import { leavingText } from '../mirror/steps/sign-out.ts'
import { attachedFetch, createSilent } from '../mirror/sync/attached-fetch.ts'
import type { Refresh } from '../mirror/sync/refresh.ts'
import { isOurClient } from './messages.ts'
import type { Upstream } from './upstream.ts'
import type { WorkerSession } from './worker-session.ts'

declare const self: ServiceWorkerGlobalScope

/** A page that signed in reads its new session right after that answer: the answer waits this long for it. */
const newSessionTimeoutMilliseconds = 500
/** A sign-out that is under way goes before any request. One that cannot get through must not hold them for longer. */
const signOutTimeoutMilliseconds = 2000
/** Pages that are remembered: more are asked for again each time. */
const rememberedPages = 1000
/** An answer to a request that left on what is not true any more. */
const outdated = new Error('outdated')

export interface RequestAttacher {
  /** Answers the request with the session attached, unless somebody else has answered it already. */
  answer(event: FetchEvent): void
  /** What was done in this run of the worker. */
  report(): Pick<WorkerReport, 'attached' | 'retried' | 'silent'>
}

export function createRequestAttacher(
  session: WorkerSession,
  refresh: Refresh,
  upstream: Upstream,
): RequestAttacher {
  const silent = createSilent()
  /** Ids of pages of this origin. An id never comes to mean another page, so asking once is enough. */
  const pages = new Set<string>()
  let attached = 0
  let retried = 0

  async function isPage(clientId: string): Promise<boolean> {
    if (pages.has(clientId)) return true
    const isOurs = isOurClient(await self.clients.get(clientId), self.location.origin)
    if (isOurs && pages.size < rememberedPages) pages.add(clientId)
    return isOurs
  }

  async function attach(event: FetchEvent, trip: Trip): Promise<Response> {
    const { clientId, request } = event
    const isEarly = pages.has(clientId) && mayLeaveEarly(request, session.document)
    const early = isEarly ? await sendEarly(session, (check) => send(event, trip, check)) : undefined
    if (early !== undefined) return early
    trip.hasLeft = false
    const [isOurs] = await Promise.all([isPage(clientId), session.reload()])
    if (isOurs && !session.isRetired) return send(event, trip)
    trip.hasLeft = true
    return upstream(request, event)
  }

  function send(event: FetchEvent, trip: Trip, check?: Check): Promise<Response> {
    attached++
    const fetchAttached = attachedFetch(
      {
        known: session,
        refresh,
        now: Date.now,
        // Pages sign out and pull, never the worker.
        onLeaving: () => untilLeft(session),
        onOther: (hint) => session.untilTold(hint, newSessionTimeoutMilliseconds),
        onNewer: (hint) => session.tell({ hint }),
        onRetry: () => void retried++,
        onSilent: silent.note,
      },
      async (sent) => {
        trip.hasLeft = true
        const response = await upstream(sent, event)
        await check?.(response)
        return response
      },
    )
    return fetchAttached(event.request)
  }

  return {
    answer: (event) => answerOnce(event, (asked) => failingOpen(asked, { attach, upstream })),
    report: () => ({ attached, retried, silent: silent.urls() }),
  }
}

/** Whether a request has left already: then it is not sent once more because of a fault of ours. */
interface Trip {
  hasLeft: boolean
}

/** Looks at an answer before anybody else does; what it throws takes the answer's place. */
type Check = (response: Response) => Promise<void>

/** What goes wrong with us before the request has left lets it out as it is. */
async function failingOpen(
  event: FetchEvent,
  how: { attach(event: FetchEvent, trip: Trip): Promise<Response>; upstream: Upstream },
): Promise<Response> {
  const { request } = event
  const trip = { hasLeft: false }
  try {
    return await how.attach(event, trip)
  } catch (error) {
    if (trip.hasLeft || request.signal.aborted || request.bodyUsed) throw error
    return how.upstream(request, event)
  }
}

/** One request has one answer: who listens after us does not hear of it, and who has answered already goes before us. */
function answerOnce(event: FetchEvent, attach: (event: FetchEvent) => Promise<Response>): void {
  let isOurs = true
  try {
    event.respondWith(Promise.resolve().then(() => (isOurs ? attach(event) : Response.error())))
  } catch {
    isOurs = false
    return
  }
  event.stopImmediatePropagation()
}

function mayLeaveEarly({ method }: Request, document: MirrorDocument): boolean {
  return (method === 'GET' || method === 'HEAD') && !isBlank(document) && document.leaving === null
}

/**
 * Storage is read meanwhile, or was just now: then the tabs' own news have had as long as the answer took. Undefined when any
 * of them knew better before the answer came: that is thrown away, and the request is to be sent as it should have been.
 */
async function sendEarly(
  session: WorkerSession,
  send: (check: Check) => Promise<Response>,
): Promise<Response | undefined> {
  const remembered = session.document
  const reading = session.isRecent ? undefined : session.reload()
  try {
    return await send(async (response) => {
      await reading
      if (!session.isRetired && !isOutdated(response, remembered, session.document)) return
      void response.body?.cancel()
      throw outdated
    })
  } catch (error) {
    if (error === outdated) return undefined
    throw error
  }
}

async function untilLeft(session: WorkerSession): Promise<void> {
  const end = Date.now() + signOutTimeoutMilliseconds
  while (session.document.leaving !== null && Date.now() < end) {
    // oxlint-disable-next-line no-await-in-loop -- each news may be the one that is waited for
    await session.untilTold({ epoch: null, revision: 0 }, end - Date.now())
  }
}

/**
 * Whether there is another session now than when the request left, and the answer is of the one before, or a refusal. What
 * speaks of yet another one is news: a request that has itself signed somebody in must not be sent twice, although the
 * event stream may have told the pages before its answer came.
 */
function isOutdated(answer: Response, before: MirrorDocument, now: MirrorDocument): boolean {
  const isSame = now.epoch === before.epoch && leavingText(now.leaving) === leavingText(before.leaving)
  if (isSame && !isBlank(now)) return false
  const said = answer.headers.get(headers.revision)
  if (said === null || answer.status === 401 || answer.status === 409) return true
  return (parseRevisionHeader(said)?.epoch ?? null) === before.epoch
}
