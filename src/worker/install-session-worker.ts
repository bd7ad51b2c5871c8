// The service worker: attaches and refreshes the session for the app's listed requests. Keeps nothing in memory that it needs,
// because the browser ends it at will; stores nothing in Cache Storage; never answers a navigation.
import { format, sharedNamesOf } from '../protocol/names.ts'
import type { WorkerMessage, WorkerReport } from '../protocol/worker-messages.ts'
import { createRefresh } from '../mirror/sync/refresh.ts'
import { withLock } from '../mirror/tabs/lock.ts'
import { readApiList } from '../mirror/wire/api-list.ts'
import { createTransport } from '../mirror/wire/transport.ts'
import { createRequestAttacher } from './attach-requests.ts'
import { decideRequest } from './decide-request.ts'
import { sendRest } from './last-resort.ts'
import { parseMessage } from './messages.ts'
import type { Upstream } from './upstream.ts'
import { WorkerSession } from './worker-session.ts'

/** What the session in a service worker is told. */
export interface SessionWorkerOptions {
  /** The base of the server's session routes. @default '/session' */
  readonly session?: string
  /**
   * Paths (`/api/`) and origins (`https://api.example`) whose requests get the session, and with "!" before it what is left out
   * of them (`!/api/upload/`). @default ['/api/']
   */
  readonly api?: readonly string[]
  /** How requests leave: msw's `handleRequest` in tests. @default the worker's own fetch */
  readonly fetch?: Upstream
}

declare const self: ServiceWorkerGlobalScope

/** Not in TypeScript's library: Background Sync (WICG), section 4.3. Chromium only. */
interface SyncEvent extends ExtendableEvent {
  readonly tag: string
}

/**
 * Installs the session in a service worker, beside whatever else that worker does. Call it at the top level.
 * @throws SessionError `invalid-option` for an entry of `api` that can match nothing
 * @example
 * import { installSessionWorker } from 'session-mirror/worker'
 * installSessionWorker({ api: ['/api/'] })
 */
export function installSessionWorker(options: SessionWorkerOptions = {}): void {
  const {
    session: base = '/session',
    api = ['/api/'],
    fetch: upstream = (request) => fetch(request),
  } = options
  const { origin } = self.location
  const list = readApiList(api, { origin, session: base })
  const routes = new URL(base, origin).href
  const names = sharedNamesOf(base)
  const session = new WorkerSession(names)
  const transport = createTransport(base, { fetch: (request) => upstream(request) })
  const now = Date.now
  const turn = <T>(work: () => Promise<T>): Promise<T> => withLock(names.refreshLock, work)
  const refresh = createRefresh({ known: session, request: transport.refresh, turn, now })
  const attacher = createRequestAttacher(session, refresh, upstream)
  const startedAt = now()

  async function rest(): Promise<void> {
    await session.reload()
    if (!session.isRetired)
      await sendRest({ names, transport, refresh, now, tell: (notice) => session.tell(notice) })
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
    const { isRetired } = session
    const report = { format, startedAt, isRetired, session: base, api, ...attacher.report() }
    port?.postMessage(report satisfies WorkerReport)
  }

  // Somebody wants it again: that is its pardon. (A page that registers an unregistered worker which still has
  // pages gets that very worker back, without an install: then `claim` says so.)
  self.addEventListener('install', (event) => event.waitUntil(session.retire(false)))
  self.addEventListener('fetch', (event) => {
    const { url, mode } = event.request
    const asked = { url, mode, clientId: event.clientId }
    if (session.isRetired || decideRequest(asked, { list, routes }) === 'pass') return
    attacher.answer(event)
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
