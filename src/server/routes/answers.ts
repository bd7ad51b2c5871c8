// The answer of a session route: what the browser does not know yet, how long it lasts, and the cookie when that
// is set again.
import { headers } from '../../protocol/names.ts'
import type { Outcome } from '../../protocol/mutation.ts'
import { type Core, now } from '../core/core.ts'
import type { LiveSession } from '../lifecycle/loaded.ts'
import { type Known, messageOf, patchOf } from '../changes/patch.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import { cookieHeaders } from '../core/cookie-fate.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, type Header, messageAnswer } from '../http/core-answer.ts'

/** What a route answers from. */
export interface Answering {
  readonly place: Place
  readonly record: SessionRecord
  readonly known?: Known | undefined
  readonly outcomes?: readonly Outcome[]
  /** Undefined when the cookie is set now. */
  readonly cookie?: LiveSession['cookie'] | undefined
  readonly etag?: string
}

export function answerFrom(core: Core, request: CoreRequest, state: Answering): CoreAnswer {
  const { record, known, cookie, outcomes, etag } = state
  const time = now(core)
  const isSet = cookie === undefined || core.carried?.isChanged === true
  const freshIn = isSet ? core.times.freshSeconds : Math.max(0, cookie.expires - time)
  const expiresIn = Math.max(0, Math.min(core.times.idleTimeoutSeconds, record.expires - time))
  const { persistent } = record
  const times = { freshIn, expiresIn, persistent, outcomes }
  const message = messageOf(patchOf(record, known, core.schema), times, core.ring)
  const revision: Header = [headers.revision, `${record.epoch}.${record.revision}`]
  const tag: Header[] = etag === undefined ? [] : [['etag', etag]]
  const renewed = cookieHeaders(core, request, { fate: isSet ? 'set' : 'keep', placed: state })
  return messageAnswer(message, [...tag, revision, ...renewed])
}
