// Who may send a request that changes something: this origin's own pages. Asks Fetch Metadata first, then
// Origin; a request that carries neither comes from no browser of today and is refused unless the app wants it.
import { headers } from '../../protocol/names.ts'
import type { Epoch } from '../../protocol/state.ts'
import { isLoopback } from './cookie-jar.ts'
import type { Core } from './core.ts'
import { refusal } from './refusal.ts'
import type { CoreRequest } from '../http/request.ts'

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

export function isSafe(method: string): boolean {
  return safeMethods.includes(method)
}

/**
 * Whether a browser asks in case somebody opens the page: prefetched, prerendered, or shown as a preview. Nobody is there
 * yet, so nothing of the session may depend on it (ASVS 7.3.1, 7.6.2).
 */
export function isSpeculative(request: CoreRequest): boolean {
  const purpose =
    request.header('sec-purpose') ??
    request.header('purpose') ??
    request.header('x-moz') ??
    request.header('x-purpose')
  return purpose !== undefined && /^\s*(?:prefetch|prerender|preview)\b/i.test(purpose)
}

/** @throws SessionError `cross-site` */
export function guard(core: Core, request: CoreRequest): void {
  if (isSafe(request.method)) return
  const origin = request.header('origin')
  if (origin !== undefined && core.allowedOrigins.includes(origin)) return
  const site = request.header('sec-fetch-site')
  if (site !== undefined) {
    if (site !== 'same-origin') throw refusal('cross-site')
    return
  }
  if (origin === undefined ? !core.allowNonBrowser : !isOwn(core, request, origin)) {
    throw refusal('cross-site')
  }
}

/**
 * For what changes nothing but holds resources: refuses what a page of another site started. A client that is no
 * browser may read whatever its cookie opens.
 * @throws SessionError `cross-site`
 */
export function guardReading(core: Core, request: CoreRequest): void {
  const origin = request.header('origin')
  if (origin !== undefined && core.allowedOrigins.includes(origin)) return
  const site = request.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw refusal('cross-site')
}

/**
 * Session routes that change something take a header that no form can send and no other origin may without a
 * preflight, and JSON where there is a body.
 * @throws SessionError `unsupported-type`
 */
export function checkType(request: CoreRequest): void {
  if (request.header(headers.request) !== '1') throw refusal('unsupported-type')
  if (request.method !== 'POST') return
  const [type = ''] = (request.header('content-type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/json') throw refusal('unsupported-type')
}

/**
 * Refuses a request of a page that believes in another session than its cookie names. Requests that name no epoch pass.
 * @param epoch that of the session; null: there is none
 * @throws SessionError `epoch-mismatch`
 */
export function checkEpoch(request: CoreRequest, epoch: Epoch | null): void {
  const believed = request.header(headers.epoch)
  if (believed !== undefined && believed !== epoch) throw refusal('epoch-mismatch')
}

/** Behind a proxy that ends TLS only the cookie's own decision tells the scheme. */
function isOwn({ jar }: Core, request: CoreRequest, origin: string): boolean {
  const host = request.host.toLowerCase()
  if (host === '') return false
  return (
    origin === `https://${host}` ||
    ((!jar.isSecure(request) || isLoopback(host)) && origin === `http://${host}`)
  )
}
