// The ready-made worker script: configured by its own url, so that a restart needs nobody to tell it again.
import { readApiList } from '../mirror/wire/api-list.ts'
import { patternsOf } from './decide-request.ts'
import { installSessionWorker } from './install-session-worker.ts'
import type { Upstream } from './upstream.ts'

declare const self: ServiceWorkerGlobalScope

/** `addRoutes` is not in TypeScript's library yet (Service Workers Nightly, section 4.9; Chromium and Safari). */
interface RoutingEvent extends ExtendableEvent {
  addRoutes?(rules: readonly { readonly condition: unknown; readonly source: 'network' }[]): Promise<void>
}

/**
 * A whole worker, which takes over at once: what the script's own url says, `?session=/session&api=/api/,https://api.example`.
 * `upstream` as in `installSessionWorker`.
 * @example installReadyMade()
 */
export function installReadyMade(upstream?: Upstream): void {
  const asked = installAsAsked(upstream)
  self.addEventListener('install', (event) => {
    void self.skipWaiting()
    // Who gives another upstream (msw) wants to see all the rest as well.
    if (upstream === undefined) event.waitUntil(routePast(event, asked))
  })
  self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
}

/** The session's part alone, as the url of the script asks for it: for `importScripts` in a worker that is somebody else's. */
export function installAsAsked(upstream?: Upstream): Asked {
  const query = new URL(self.location.href).searchParams
  const session = query.get('session') ?? '/session'
  const api = (query.get('api') ?? '/api/').split(',').filter((entry) => entry !== '')
  installSessionWorker({ session, api, ...(upstream === undefined ? {} : { fetch: upstream }) })
  return { session, api }
}

/** What the url of the script asks for. */
interface Asked {
  readonly session: string
  readonly api: readonly string[]
}

/** Requests that are not listed do not even start the worker, where the browser can do that. */
async function routePast(event: RoutingEvent, { session, api }: Asked): Promise<void> {
  try {
    const { listed, leftOut } = readApiList(api, { origin: self.location.origin, session })
    const conditions = [{ not: matchesOneOf(listed) }, ...(leftOut.length > 0 ? [matchesOneOf(leftOut)] : [])]
    await event.addRoutes?.(conditions.map((condition) => ({ condition, source: 'network' })))
  } catch {
    // An engine with another idea of conditions: then the fetch handler passes these requests by itself.
  }
}

/** A condition of static routes: the url begins like one of these. */
function matchesOneOf(prefixes: readonly string[]): unknown {
  return { or: patternsOf(prefixes).map((urlPattern) => ({ urlPattern })) }
}
