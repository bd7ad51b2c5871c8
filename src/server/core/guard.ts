// Who may send a request that changes something: this origin's own pages. Asks Fetch Metadata first, then
// Origin; a request that carries neither comes from no browser of today and is refused unless the app wants it.
import { headers } from '../../protocol/names.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { Core } from './core.ts'
import { SessionError } from '../../protocol/errors.ts'
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

/** A handshake is a GET, and its connection can do whatever a POST can (RFC 6455, 10.2). */
function isHandshake(request: CoreRequest): boolean {
  return /\bwebsocket\b/i.test(request.header('upgrade') ?? '')
}

/** @throws SessionError `cross-site` */
export function guard(core: Core, request: CoreRequest): void {
  if (isSafe(request.method) && !isHandshake(request)) return
  const origin = request.header('origin')
  if (origin !== undefined && core.allowedOrigins.includes(origin)) return
  const site = request.header('sec-fetch-site')
  if (site !== undefined) {
    if (site !== 'same-origin') throw refusal('cross-site')
    return
  }
  if (origin === undefined ? core.allowNonBrowser : isOwn(core, request, origin)) return
  throw new SessionError('cross-site', sentenceFor(core, request, origin))
}

/**
 * For a sign-in or a sign-out by GET or HEAD: a link, an image or a redirect of another site can make the browser send
 * that, and would sign its visitor in as somebody else. Other changes pass: whoever comes by a link is a visitor.
 * @throws SessionError `cross-site`
 */
export function guardIdentity(request: CoreRequest): void {
  if (!isSafe(request.method)) return
  const site = request.header('sec-fetch-site')
  if (site !== 'cross-site' && site !== 'same-site') return
  throw new SessionError(
    'cross-site',
    'Another site led the browser to this sign-in or sign-out by GET. Nothing was changed. Do it by POST from a page of your own, or call session.allowCrossSite() first where another site is meant to lead here, such as in a callback of OAuth.',
  )
}

/** Before a session begins in which nobody is signed in. @throws SessionError `anonymous-full`, and what the app's function rejects with */
export async function checkAnonymous({ allowAnonymous }: Core, request: CoreRequest): Promise<void> {
  const isAllowed = typeof allowAnonymous === 'function' ? await allowAnonymous(request) : allowAnonymous
  if (!isAllowed) throw refusal('anonymous-full', { retryAfterSeconds: anonymousRetrySeconds })
}

/** Long enough that refused browsers cost little, short enough that somebody who waits sees it end. */
const anonymousRetrySeconds = 60

/** @throws SessionError `proxy-untrusted` */
export function checkProxy({ jar }: Core, request: CoreRequest): void {
  if (jar.isBehindUnknownProxy(request)) throw refusal('proxy-untrusted')
}

/** What is wrong, for whoever sets a server up: the same refusal means another thing to curl, in a LAN and behind a proxy. */
function sentenceFor({ jar }: Core, request: CoreRequest, origin: string | undefined): string {
  if (origin === undefined)
    return "The request has neither Sec-Fetch-Site nor Origin, so no browser of today has sent it. Nothing was changed. With curl add -H 'Sec-Fetch-Site: same-origin'; for programs of your own set allowNonBrowser: true."
  if (origin === `http://${withoutPort(request.host, '80')}` && !jar.isPlainHost(request.host))
    return `The page came by plain http from ${request.host}, where a Secure cookie cannot be set. Nothing was changed. Use https; for development in a local network set cookie: { insecureHosts: ['${request.host}'] }.`
  return `The page is of another origin than this host, ${request.host}. Nothing was changed. If both are yours: name the page's origin in allowedOrigins; behind a proxy that changes Host set trustProxy to the number of your proxies.`
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
  const { host } = request
  if (host === '') return false
  return (
    origin === `https://${withoutPort(host, '443')}` ||
    ((!jar.isSecure(request) || jar.isPlainHost(host)) && origin === `http://${withoutPort(host, '80')}`)
  )
}

/** A Host may name the port that its scheme has anyhow; an origin never does (RFC 6454, 6.2). */
function withoutPort(host: string, port: string): string {
  const name = host.toLowerCase()
  return name.endsWith(`:${port}`) ? name.slice(0, -port.length - 1) : name
}
