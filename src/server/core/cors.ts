// Cross-origin answers (Fetch standard, "CORS protocol") for the origins that the app allows, by name: an origin
// is never reflected, and an answer to any other says nothing that lets its page read it.
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import type { Core } from './core.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, emptyAnswer, problemAnswer } from '../http/core-answer.ts'

/** The headers that a page of an allowed origin may read beside the body. */
const exposed = [headers.revision, headers.freshIn, 'etag', 'retry-after'].join(', ')
/** Seconds for which a browser may remember a preflight. Chromium takes two hours at most, Safari ten minutes. */
const preflightSeconds = 600

/** For every answer to a request: empty for our own pages and for strangers. `Vary: Origin` is the caller's. */
export function corsHeaders(core: Core, request: CoreRequest): Header[] {
  const origin = request.header('origin')
  if (origin === undefined || !core.allowedOrigins.includes(origin)) return []
  return [
    ['access-control-allow-origin', origin],
    ['access-control-allow-credentials', 'true'],
    ['access-control-expose-headers', exposed],
  ]
}

/**
 * The answer to a preflight from an allowed origin, for the session routes and for the app's; undefined for any
 * other request.
 */
export function preflightAnswer(core: Core, request: CoreRequest): CoreAnswer | undefined {
  const method = request.header('access-control-request-method')
  if (request.method !== 'OPTIONS' || method === undefined) return undefined
  const allowed = corsHeaders(core, request)
  if (allowed.length === 0) return undefined
  // With credentials `*` is no wildcard, so the names are given back. What such a request may do is up to the guard.
  const names = request.header('access-control-request-headers') ?? ''
  if (!/^[A-Z]{1,20}$/.test(method) || !/^[\w\-, ]{0,500}$/.test(names))
    return problemAnswer(
      new SessionError('malformed', 'The preflight asks for a method or headers that no request can have.'),
    )
  return emptyAnswer([
    ...allowed,
    ['access-control-allow-methods', method],
    ...(names === '' ? [] : [['access-control-allow-headers', names] as const]),
    ['access-control-max-age', String(preflightSeconds)],
    ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
  ])
}
