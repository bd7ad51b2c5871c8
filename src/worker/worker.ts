// The service worker: attaches and refreshes the session for the app's listed requests. Keeps nothing in
// memory that it needs, because the browser ends it at will; stores nothing in Cache Storage; never answers
// a navigation.
import { format, sharedNamesOf } from '../protocol/names.ts'
import { attachedFetch } from '../mirror/attach.ts'
import type { Hint } from '../mirror/channel.ts'
import { databaseStorage } from '../mirror/database.ts'
import { createMirror } from '../mirror/mirror.ts'
import { createRefresh } from '../mirror/refresh.ts'
import { createTransport } from '../mirror/transport.ts'
import { decide } from './intercept.ts'
import { type WorkerMessage, type WorkerReport, isPageOf, parseMessage } from './messages.ts'

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

/** A page that signed in reads its new session right after that answer: so long the answer waits for it. */
const patience = 500

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
  const mirror = createMirror({
    storage: databaseStorage(names.database),
    channel: names.channel,
    now: Date.now,
  })
  const transport = createTransport({ base, fetch: (request) => upstream(request) })
  const refresh = createRefresh({ mirror, transport, lock: names.refreshLock, now: Date.now })
  const startedAt = Date.now()
  let attached = 0
  let retried = 0
  let isRetired = false

  async function attach(event: FetchEvent): Promise<Response> {
    if (!isPageOf(await self.clients.get(event.clientId), origin)) return upstream(event.request, event)
    attached++
    await mirror.reload()
    const send = attachedFetch(
      {
        mirror,
        refresh,
        now: Date.now,
        onOther: untilPulled,
        onNewer: mirror.hint,
        onRetry: () => void retried++,
      },
      (request) => upstream(request, event),
    )
    return send(event.request)
  }

  /** Pages pull, never the worker; it only waits until one of them has, or until that takes too long. */
  function untilPulled(hint: Hint): Promise<void> {
    mirror.hint(hint)
    return new Promise((resolve) => {
      const stop = mirror.onChange((state) => {
        if (state.mirror.mirror.epoch === hint.epoch) done()
      })
      const timer = setTimeout(done, patience)
      function done(): void {
        clearTimeout(timer)
        stop()
        resolve()
      }
    })
  }

  async function obey(message: WorkerMessage, port: MessagePort | undefined): Promise<void> {
    if (message.type === 'claim') return self.clients.claim()
    if (message.type === 'retire') {
      isRetired = true
      await self.registration.unregister()
    }
    port?.postMessage({ format, startedAt, attached, retried, isRetired } satisfies WorkerReport)
  }

  self.addEventListener('fetch', (event) => {
    const { url, mode } = event.request
    if (
      isRetired ||
      decide({ url, mode, clientId: event.clientId }, { api, origin, session: base }) === 'pass'
    )
      return
    event.respondWith(attach(event))
  })
  self.addEventListener('message', (event) => {
    const message = parseMessage(event.data, event.source, origin)
    if (message !== undefined) event.waitUntil(obey(message, event.ports[0]))
  })
}
