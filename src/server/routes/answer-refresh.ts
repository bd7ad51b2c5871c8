// `POST /session/refresh`: sets the cookie again, with a new session id when one is due, and answers with what is new.
// Asks for no epoch: it changes nothing that has one.
import { parseSyncRequest } from '../../protocol/messages.ts'
import { emptyMessage } from '../changes/patch.ts'
import { type CoreAnswer, messageAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { deadError } from '../lifecycle/loaded.ts'
import { goneError } from '../lifecycle/locate.ts'
import { renewOrTell } from '../lifecycle/rotate.ts'
import { stateAnswer } from './state-answer.ts'

/**
 * @throws SessionError `malformed`, `too-large`, `expired`, `ended`, `reuse`, `lost`, `contention`, `ambiguous-cookie`,
 * `store-unavailable`
 */
export async function answerRefresh(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const known = parseSyncRequest(await request.body())
  const before = await loadSession(lifecycle, request)
  if (before.state === 'none') return messageAnswer(emptyMessage())
  if (before.state === 'dead') throw deadError(before)
  const renewed = await renewOrTell(lifecycle, before, { present: before, isNeedy: true })
  if (renewed.state !== 'live') throw goneError(renewed)
  const { placed } = renewed
  const isRenewed = placed !== undefined
  return stateAnswer(lifecycle.core, request, { before, placed: placed ?? before, isRenewed, known })
}
