// The service worker: attaches and refreshes the session for the app's listed requests. Keeps nothing in
// memory that it needs, because the browser ends it at will; stores nothing in Cache Storage; never answers
// a navigation.
import { parseRevisionHeader } from '../protocol/messages.ts'
import { format, headers, sharedNamesOf } from '../protocol/names.ts'
import type { WorkerMessage, WorkerReport } from '../protocol/worker-messages.ts'
import { attachedFetch, createSilent } from '../mirror/sync/attached-fetch.ts'
import { type MirrorDocument, isBlank } from '../mirror/steps/local-state.ts'
import { leavingText } from '../mirror/steps/sign-out.ts'
import { createRefresh } from '../mirror/sync/refresh.ts'
import { createTransport } from '../mirror/wire/transport.ts'
import { decide } from './intercept.ts'
import { createWorkerSession } from './known.ts'
import { sendRest } from './last-resort.ts'
import { isPageOf, parseMessage } from './messages.ts'

/** Sends a request on; `event` is there when a page's request caused it, and names that page. */
export type Upstream = (request: Request, event?: { readonly clientId: string }) => Promise<Response>

export interface SessionWorkerOptions {
  /** The base of the server's session routes. @default '/session' */
  readonly session?: string
  /** Paths (`/api/`) and origins (`https://api.example`) whose requests get the session. @default ['/api/'] */
  readonly api?: readonly string[]
  /** How requests leave: msw's `handleRequest` in tests. @default the worker's own fetch */
  readonly fetch?: Upstream
}

declare const self: ServiceWorkerGlobalScope

/** Not in TypeScript's library: Background Sync (WICG), section 4.3. Chromium only. */
interface SyncEvent extends ExtendableEvent {
  readonly tag: string
}

/** A page that signed in reads its new session right after that answer: so long the answer waits for it. */
const patience = 500
/** A sign-out that is under way goes before any request; one that cannot get through must not hold them for ever. */
const leavingPatience = 2000
const manyPages = 1000
/** An answer to a request that left on what is not true any more. */
const outdated = new Error('outdated')

/**
 * Installs the session in a service worker, beside whatever else that worker does. Call it at the top level.
 * @example
 * import { installSessionWorker } from 'session-mirror/worker'
 * installSessionWorker({ api: ['/api/'] })
 */
export function installSessionWorker(options: SessionWorkerOptions = {}): void {
  const { session: base = '/session', api = ['/api/'] } = options
  const upstream: Upstream = options.fetch ?? ((request) => fetch(request))
  const { origin } = self.location
  const names = sharedNamesOf(base)
  const session = createWorkerSession(names)
  const transport = createTransport(base, { fetch: (request) => upstream(request) })
  const now = Date.now
  const refresh = createRefresh({ known: session, request: transport.refresh, lock: names.refreshLock, now })
  const startedAt = Date.now()
  let attached = 0
  let retried = 0
  const silent = createSilent()
  /** Ids of pages of this origin: an id never comes to mean another page, so asking once is enough. */
  const pages = new Set<string>()

  async function isPage(clientId: string): Promise<boolean> {
    if (pages.has(clientId)) return true
    const isOurs = isPageOf(await self.clients.get(clientId), origin)
    if (isOurs && pages.size < manyPages) pages.add(clientId)
    return isOurs
  }

  async function attach(event: FetchEvent): Promise<Response> {
    const early = mayLeaveEarly(event) ? await sendEarly(event) : undefined
    if (early !== undefined) return early
    const [isOurs] = await Promise.all([isPage(event.clientId), session.reload()])
    return isOurs && !session.isRetired ? send(event) : upstream(event.request, event)
  }

  /**
   * What changes nothing leaves at once, on what this worker remembers. Storage is read meanwhile, or was just now: then
   * the tabs' own news have had as long as the answer took. Undefined when any of them knew better before the answer
   * came: that is thrown away, and the request is sent as it should have been.
   */
  async function sendEarly(event: FetchEvent): Promise<Response | undefined> {
    const remembered = session.document
    const reading = session.isRecent ? undefined : session.reload()
    try {
      return await send(event, async (response) => {
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

  function mayLeaveEarly({ clientId, request: { method } }: FetchEvent): boolean {
    const { document } = session
    return (
      (method === 'GET' || method === 'HEAD') &&
      pages.has(clientId) &&
      !isBlank(document) &&
      document.leaving === null
    )
  }

  function send(event: FetchEvent, check?: (response: Response) => Promise<void>): Promise<Response> {
    attached++
    const fetchAttached = attachedFetch(
      {
        known: session,
        refresh,
        now,
        // Pages sign out and pull, never the worker.
        onLeaving: untilLeft,
        onOther: (hint) => session.untilTold(hint, patience),
        onNewer: (hint) => session.tell({ hint }),
        onRetry: () => void retried++,
        onSilent: silent.note,
      },
      async (request) => {
        const response = await upstream(request, event)
        await check?.(response)
        return response
      },
    )
    return fetchAttached(event.request)
  }

  /** One request has one answer: whoever listens after us does not hear of it, and whoever has answered already goes before. */
  function answer(event: FetchEvent): void {
    const { promise, resolve } = Promise.withResolvers<Response>()
    try {
      event.respondWith(promise)
    } catch {
      return
    }
    event.stopImmediatePropagation()
    resolve(attach(event))
  }

  async function untilLeft(): Promise<void> {
    const end = Date.now() + leavingPatience
    while (session.document.leaving !== null && Date.now() < end) {
      // oxlint-disable-next-line no-await-in-loop -- each news may be the one that is waited for
      await session.untilTold({ epoch: null, revision: 0 }, end - Date.now())
    }
  }

  async function rest(): Promise<void> {
    await session.reload()
    if (!session.isRetired) await sendRest({ names, transport, refresh, now, tell: session.tell })
  }

  async function obey(message: WorkerMessage, port: MessagePort | undefined): Promise<void> {
    if (message.type === 'claim') {
      await session.reload()
      if (session.isRetired) await session.retire(false)
      return self.clients.claim()
    }
    if (message.type === 'retire') {
      await session.retire(true)
      await self.registration.unregister()
    }
    port?.postMessage({
      format,
      startedAt,
      attached,
      retried,
      isRetired: session.isRetired,
      session: base,
      api,
      silent: silent.urls(),
    } satisfies WorkerReport)
  }

  // Somebody wants it again: that is its pardon. (A page that registers an unregistered worker which still has
  // pages gets that very worker back, without an install: then `claim` says so.)
  self.addEventListener('install', (event) => event.waitUntil(session.retire(false)))
  self.addEventListener('fetch', (event) => {
    const { url, mode } = event.request
    if (
      session.isRetired ||
      decide({ url, mode, clientId: event.clientId }, { api, origin, session: base }) === 'pass'
    )
      return
    answer(event)
  })
  self.addEventListener('sync', (event) => {
    const asked = event as SyncEvent // The only event of this name.
    if (asked.tag === names.syncTag) asked.waitUntil(rest())
  })
  self.addEventListener('message', (event) => {
    const message = parseMessage(event.data, event.source, origin)
    if (message !== undefined) event.waitUntil(obey(message, event.ports[0]))
  })
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
