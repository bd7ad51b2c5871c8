// When the cookie is set again, and the headers that do it.
import { headers } from '../../protocol/names.ts'
import { type Cookie, encodeCookie } from '../codec/cookie.ts'
import { type Core, now } from '../core/core.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Header } from '../http/respond.ts'

/** Sets the cookie of a session that is stored. */
export function cookieHeaders(
  core: Core,
  request: CoreRequest,
  { place, record }: { readonly place: Place; readonly record: SessionRecord },
): Header[] {
  const { freshSeconds } = core.times
  const { sid } = place
  if (sid === undefined) return []
  const issued = now(core)
  const cookie = { sid, floor: record.revision, issued, expires: issued + freshSeconds }
  const value = encodeCookie(cookie, core.ring) + (core.carried?.textFor(place) ?? '')
  return [
    ['set-cookie', core.jar.line(request, value, record.persistent)],
    [headers.freshIn, String(freshSeconds)],
  ]
}

/** More than half of the fresh time is over, the session has another id now, or a newer secret signs. */
export function wantsRenewal(
  core: Core,
  {
    cookie,
    places,
    isStale,
  }: { readonly cookie: Cookie; readonly places: readonly Place[]; readonly isStale: boolean },
): boolean {
  if (isStale || places.length > 1 || cookie.keyId !== core.ring.newest.id) return true
  return now(core) - cookie.issued > core.times.freshSeconds / 2
}
