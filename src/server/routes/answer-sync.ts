// `POST /session/sync`: applies a browser's batch exactly once, and answers with its outcomes and what is new.
import { type Batch, type SyncRequest, parseBatch, parseSyncRequest } from '../../protocol/messages.ts'
import type { Outcome } from '../../protocol/mutation.ts'
import { type BatchContext, applyBatch, checkWork } from '../changes/batch.ts'
import { createRecord, isEmpty } from '../changes/change.ts'
import { emptyMessage } from '../changes/patch.ts'
import { type SessionRecord, createPlace } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { checkAnonymous } from '../core/guard.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, messageAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Change } from '../lifecycle/commit.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { type DeadSession, type LiveSession, type NoSession, deadError } from '../lifecycle/loaded.ts'
import { createFirst } from '../lifecycle/relocate.ts'
import { renewedState, requireFresh, stateAnswer } from './state-answer.ts'

/** What a request asks for, parsed. */
interface ParsedSync extends SyncRequest {
  readonly parsedBatch:
    | { readonly batch: Batch; readonly hash: string; readonly isMerging: boolean }
    | undefined
}

/**
 * @throws SessionError `malformed`, `too-large`, `stale`, `expired`, `ended`, `reuse`, `lost`, `epoch-mismatch`,
 * `batch-fork`, `clients-full`, `anonymous-full`, `contention`, `ambiguous-cookie`, `store-unavailable`
 */
export async function answerSync(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const sync = parseSync(lifecycle.core, await request.body())
  const loaded = await loadSession(lifecycle, request)
  return loaded.state === 'live'
    ? answerLive(lifecycle, request, { sync, live: requireFresh(loaded) })
    : answerFirst(lifecycle.core, request, { sync, loaded })
}

async function answerLive(
  lifecycle: Lifecycle,
  request: CoreRequest,
  { sync, live }: { readonly sync: ParsedSync; readonly live: LiveSession },
): Promise<CoreAnswer> {
  const { core, commit } = lifecycle
  checkEnvelope(sync, live.record)
  const { parsedBatch } = sync
  if (parsedBatch === undefined)
    return stateAnswer(core, request, { ...(await renewedState(lifecycle, live, live)), known: sync })
  const change: Change<readonly Outcome[]> = (before) => {
    const applied = applyBatch(before, parsedBatch.batch, contextOf(core, before, parsedBatch.hash))
    return { record: applied.record, result: applied.outcomes }
  }
  const { place, record, result } = await commit(live, change, parsedBatch)
  const state = await renewedState(lifecycle, live, { place, record })
  return stateAnswer(core, request, { ...state, known: sync, outcomes: result })
}

/** The first batch of a browser that has no session, whatever dead cookie it still carries. */
async function answerFirst(
  core: Core,
  request: CoreRequest,
  { sync, loaded }: { readonly sync: ParsedSync; readonly loaded: NoSession | DeadSession },
): Promise<CoreAnswer> {
  if (sync.epoch !== null) throw loaded.state === 'dead' ? deadError(loaded) : refusal('epoch-mismatch')
  if (sync.owner !== null) throw refusal('epoch-mismatch')
  if (sync.parsedBatch === undefined) return messageAnswer(emptyMessage())
  const { batch, hash } = sync.parsedBatch
  const before = createRecord(core, null)
  const { record, outcomes } = applyBatch(before, batch, contextOf(core, before, hash))
  if (isEmpty(record)) return messageAnswer(emptyMessage(outcomes))
  await checkAnonymous(core, request)
  const placed = await createFirst(core, createPlace(core.ring, core.crypto), record)
  return stateAnswer(core, request, { before: loaded, placed, isRenewed: false, outcomes })
}

/** @throws SessionError `malformed` */
function parseSync(core: Core, text: string): ParsedSync {
  const body = parseSyncRequest(text)
  if (body.batch === undefined) return { ...body, parsedBatch: undefined }
  const batch = parseBatch(body.batch)
  const { isMerging } = checkWork(batch, core.schema)
  return { ...body, parsedBatch: { batch, hash: core.crypto.hash(body.batch), isMerging } }
}

/** A batch written for one session never reaches another. */
function checkEnvelope({ epoch, owner }: SyncRequest, record: SessionRecord): void {
  const isMeant = epoch === null ? record.owner === null : epoch === record.epoch
  if (!isMeant || owner !== record.owner) throw refusal('epoch-mismatch')
}

function contextOf(core: Core, before: SessionRecord, hash: string): BatchContext {
  const { schema, clients } = core
  return { schema, hash, now: now(core), numbering: core.numbering(before), clients }
}
