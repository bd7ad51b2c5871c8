// The answer of a session route that tells the state of a live session: what the browser does not know yet, how long it
// lasts, and the cookie where that is set again.
import type { Outcome } from '../../protocol/mutation.ts'
import { headers } from '../../protocol/names.ts'
import { type Known, messageOf, patchOf } from '../changes/patch.ts'
import type { Placed } from '../codec/record.ts'
import { type CookieFate, cookieFate, cookieHeaders } from '../core/cookie-fate.ts'
import { type Core, now } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, type Header, messageAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { type DeadSession, type LiveSession, type Loaded, deadError } from '../lifecycle/loaded.ts'
import { renew, wantsRenewal } from '../lifecycle/rotate.ts'

/** What a route tells. */
export interface AnsweredState {
  /** What the request's cookie led to. */
  readonly before: Loaded
  /** The session as it is now. */
  readonly placed: Placed
  /** Whether its cookie is to be set again. */
  readonly isRenewed: boolean
  /** What the browser says it has; undefined: it is told everything. */
  readonly known?: Known | undefined
  /** Of the batch in the request, in its order. */
  readonly outcomes?: readonly Outcome[]
}

/** 200 with the mirror message, and the cookie where it is set. */
export function stateAnswer(core: Core, request: CoreRequest, state: AnsweredState): CoreAnswer {
  const { known, outcomes } = state
  const { record } = state.placed
  const expiresIn = Math.max(0, Math.min(core.times.idleTimeoutSeconds, record.expires - now(core)))
  const times = { freshIn: freshIn(core, state), expiresIn, persistent: record.persistent, outcomes }
  const message = messageOf(patchOf(record, known, core.schema), times, core.ring)
  const revision: Header = [headers.revision, `${record.epoch}.${record.revision}`]
  return messageAnswer(message, [revision, ...stateCookie(core, request, state)])
}

/** The headers that set the cookie, where it is to be set. */
export function stateCookie(core: Core, request: CoreRequest, state: AnsweredState): Header[] {
  return cookieHeaders(core, request, { fate: fateOf(core, state), placed: state.placed })
}

/** With a new cookie, and perhaps a new id, once half of the fresh time is over. */
export async function renewedState(
  lifecycle: Lifecycle,
  before: LiveSession,
  placed: Placed,
): Promise<Pick<AnsweredState, 'before' | 'placed' | 'isRenewed'>> {
  const next = wantsRenewal(lifecycle.core, before) ? await renew(lifecycle, before, placed) : undefined
  return { before, placed: next ?? placed, isRenewed: next !== undefined }
}

/**
 * The session, if an ordinary request may use it. A dead session is told before a stale cookie: there is nothing left to
 * refresh.
 * @throws SessionError `stale`, `expired`, `ended`, `reuse`, `lost`
 */
export function requireFresh(loaded: LiveSession | DeadSession): LiveSession {
  if (loaded.state === 'dead') throw deadError(loaded)
  if (loaded.isStale) throw refusal('stale')
  return loaded
}

function fateOf({ carried }: Core, { before, placed, isRenewed }: AnsweredState): CookieFate {
  return cookieFate(before, placed, { isRenewed, isCarriedChanged: carried?.isChanged === true })
}

/** Seconds until the cookie that the browser has after this answer must be refreshed. */
function freshIn(core: Core, state: AnsweredState): number {
  const { before } = state
  if (before.state !== 'live' || fateOf(core, state) === 'set') return core.times.freshSeconds
  return Math.max(0, before.cookie.expires - now(core))
}
