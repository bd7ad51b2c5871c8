// `GET /session`: the mirror, as a patch since what the browser has, or as a whole; 304 where it has the newest.
import { emptyMessage, parseKnown } from '../changes/patch.ts'
import { type CoreAnswer, messageAnswer, notModified, withHeaders } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { renewedState, requireFresh, stateAnswer, stateCookie } from './state-answer.ts'

/** @throws SessionError `stale`, `expired`, `ended`, `reuse`, `lost`, `ambiguous-cookie`, `store-unavailable` */
export async function answerMirror(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const { core } = lifecycle
  const known = parseKnown(request.url)
  const loaded = await loadSession(lifecycle, request)
  if (loaded.state === 'none') return forMethod(request, messageAnswer(emptyMessage()))
  const live = requireFresh(loaded)
  const etag = `"${live.record.epoch}.${live.record.revision}"`
  const state = { ...(await renewedState(lifecycle, live, live)), known }
  if (namesTag(request, etag)) return notModified([['etag', etag], ...stateCookie(core, request, state)])
  return forMethod(request, withHeaders(stateAnswer(core, request, state), [['etag', etag]]))
}

/** If-None-Match compares weakly (RFC 9110, 13.1.2). */
function namesTag(request: CoreRequest, etag: string): boolean {
  const tags = (request.header('if-none-match') ?? '').split(',')
  return tags.some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

function forMethod({ method }: CoreRequest, answer: CoreAnswer): CoreAnswer {
  return method === 'HEAD' ? { ...answer, body: '' } : answer
}
