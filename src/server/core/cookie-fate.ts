// What an answer does with the browser's cookie, and the headers that do it. The decision is one pure function of what
// came, of what is stored now and of what the request did; nobody else decides it.
import { headers } from '../../protocol/names.ts'
import type { Epoch } from '../../protocol/state.ts'
import { encodeCookie } from '../codec/cookie.ts'
import type { Placed } from '../codec/record.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Header } from '../http/core-answer.ts'
import { type Core, now } from './core.ts'

/** `keep`: the answer has no cookie, and the browser keeps what it has. */
export type CookieFate = 'keep' | 'set' | 'clear'

/** What the browser's cookie named when the request came. */
export type CookieBefore =
  | { readonly state: 'none' }
  /** A session that is gone. */
  | { readonly state: 'dead' }
  | { readonly state: 'live'; readonly record: { readonly epoch: Epoch } }

/** What the session is now; undefined: there is none. */
export type CookieAfter = { readonly record: { readonly epoch: Epoch } } | undefined

/** What a request did, as far as the cookie depends on it. Everything is false by default. */
export interface CookiePlan {
  /** The request itself ended the session that its cookie named. */
  readonly isEnded?: boolean
  /** The cookie is to be set again for the same session: it was due, or the id has changed. */
  readonly isRenewed?: boolean
  /** Changes could not be stored: whatever was stored before them, the answer promises nothing. */
  readonly hasFailed?: boolean
  /** The session itself is in the cookie, and it has changed. */
  readonly isCarriedChanged?: boolean
}

/**
 * What the answer does with the cookie. A dead cookie is left where it is unless this request ended its session: this
 * answer may arrive after that of a new sign-in, and would delete that one's cookie.
 */
export function cookieFate(before: CookieBefore, after: CookieAfter, plan: CookiePlan): CookieFate {
  if (after === undefined)
    return plan.isEnded === true && plan.hasFailed !== true && before.state !== 'none' ? 'clear' : 'keep'
  if (plan.isCarriedChanged === true) return 'set'
  if (plan.hasFailed === true) return 'keep'
  const isAnother = before.state !== 'live' || before.record.epoch !== after.record.epoch
  return isAnother || plan.isRenewed === true ? 'set' : 'keep'
}

/**
 * The headers that carry a fate out: Set-Cookie, and with a new cookie Session-Fresh-In.
 * Nothing is set for a session that was found by the list of its owner: its id is not known.
 */
export function cookieHeaders(
  core: Core,
  request: CoreRequest,
  { fate, placed }: { readonly fate: CookieFate; readonly placed: Placed | undefined },
): Header[] {
  if (fate === 'clear') return clearingHeaders(core, request)
  if (fate === 'keep' || placed?.place.sid === undefined) return []
  const { freshSeconds } = core.times
  const { place, record } = placed
  const issued = now(core)
  const cookie = { sid: placed.place.sid, floor: record.revision, issued, expires: issued + freshSeconds }
  const value = encodeCookie(cookie, core.ring) + (core.carried?.textFor(place) ?? '')
  return [
    // First: a browser that knows no Partitioned takes the two for one.
    ...core.jar.clearingOthers(request).map(setCookie),
    ['set-cookie', core.jar.line(request, value, record.persistent)],
    [headers.freshIn, String(freshSeconds)],
  ]
}

/** The headers that take the browser's cookie away. */
export function clearingHeaders({ jar }: Core, request: CoreRequest): Header[] {
  return jar.clearing(request).map(setCookie)
}

function setCookie(line: string): Header {
  return ['set-cookie', line]
}
