// `GET /session/events`: opens a stream of server-sent events, and counts how many each session has open.
import * as limits from '../../protocol/limits.ts'
import { parseRevisionHeader } from '../../protocol/messages.ts'
import { type Known, parseKnown } from '../changes/patch.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, emptyAnswer, eventAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { EventStream } from './event-stream.ts'
import { requireFresh } from './state-answer.ts'

/** Seconds after which a browser whose session has too many streams may ask again. */
const fullRetrySeconds = 5

/**
 * The route, for one server: its streams are counted together.
 * @throws SessionError `stale`, `expired`, `ended`, `reuse`, `lost`, `streams-full`, `ambiguous-cookie`,
 * `store-unavailable`
 */
export function createAnswerEvents(): (lifecycle: Lifecycle, request: CoreRequest) => Promise<CoreAnswer> {
  const open = new Map<string, number>()

  /** Counts a stream, and gives what uncounts it. */
  function enter(epoch: string): () => void {
    const count = open.get(epoch) ?? 0
    if (count >= limits.sessionStreams) throw refusal('streams-full', { retryAfterSeconds: fullRetrySeconds })
    open.set(epoch, count + 1)
    return () => {
      const left = (open.get(epoch) ?? 1) - 1
      if (left === 0) open.delete(epoch)
      else open.set(epoch, left)
    }
  }

  return async function answerEvents(lifecycle, request) {
    const { core } = lifecycle
    // With sessions in the cookie only the browser itself could tell what is new.
    const loaded = core.carried === undefined ? await loadSession(lifecycle, request) : undefined
    // An EventSource that is told 204 does not come again.
    if (loaded === undefined || loaded.state === 'none') return emptyAnswer([['vary', 'Cookie']])
    const live = requireFresh(loaded)
    const known = parseLastId(request.header('last-event-id')) ?? parseKnown(request.url)
    return eventAnswer(new EventStream(lifecycle, live, { known, onClose: enter(live.record.epoch) }))
  }
}

/** `E.R`, as `EventStream` named the last event that came. */
function parseLastId(id: string | undefined): Known | undefined {
  const last = parseRevisionHeader(id ?? '')
  return last && { epoch: last.epoch, since: last.revision }
}
