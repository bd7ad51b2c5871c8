// Background Sync, the last resort: no page may be left, and something is unsent. Sends what is on disk, and settles
// what the server has clearly done for the very session that the mirror speaks of. Whatever else it answers is for
// the next page to decide, which sends the same bytes again and gets the same answer.
import type { MirrorMessage } from '../protocol/messages.ts'
import type { SharedNames } from '../protocol/names.ts'
import { type Notice } from '../mirror/tabs/channel.ts'
import { databaseStorage } from '../mirror/storage/database-storage.ts'
import { namedBy, pendingSignOut, signedOutBy } from '../mirror/steps/sign-out.ts'
import { type LocalState, type SealedBatch, isBlank, pendingOf } from '../mirror/steps/local-state.ts'
import { withLock } from '../mirror/tabs/lock.ts'
import { noticeOf } from '../mirror/tabs/merge.ts'
import { sealBatch, settle } from '../mirror/steps/outbox.ts'
import type { Refresh } from '../mirror/sync/refresh.ts'
import type { ServerAnswer } from '../mirror/wire/send.ts'
import { adoptMessage } from '../mirror/steps/snapshot.ts'
import type { StorageStep, Storage } from '../mirror/storage/storage.ts'
import type { Transport } from '../mirror/wire/transport.ts'

export interface LastResortOptions {
  readonly names: SharedNames
  readonly transport: Transport
  readonly refresh: Refresh
  readonly now: () => number
  /** Tells the pages what has changed, should there be some. */
  readonly tell: (notice: Notice) => void
}

/** Requests of one run: a worker is not given time for ever. */
const most = 30

/**
 * Sends a waiting sign-out, then what is pending.
 * @throws Error when the server could not be reached: then the browser tries again later, by itself.
 */
export async function sendRest(options: LastResortOptions): Promise<void> {
  const storage = databaseStorage(options.names.database)
  try {
    await withLock(options.names.syncLock, async () => {
      for (let count = 0; count < most; count++) {
        // oxlint-disable-next-line no-await-in-loop -- each request depends on what the one before has left
        if ((await sendNext(storage, options)) === 'done') return
      }
    })
  } finally {
    storage.close()
  }
}

async function sendNext(storage: Storage, options: LastResortOptions): Promise<'more' | 'done'> {
  const { transport, refresh, now } = options
  const state = await storage.load()
  const leaving = pendingSignOut(state.mirror)
  if (leaving !== undefined) {
    const answer = await transport.signOut(namedBy(leaving.leaving), leaving.isEverywhere)
    const left = signedOutBy(leaving, answer)
    if (left === undefined) return unlessUnreachable(answer)
    await change(left, 'relaxed')
    return 'more'
  }
  // Who is here has to be known before anything is sent for them.
  if (isBlank(state.mirror) || pendingOf(state).length === 0) return 'done'
  if ((await refresh.ahead()).kind === 'over') return 'done'
  const sealed = state.outbox.sealed ?? (await change(sealBatch, 'strict')).outbox.sealed
  return sealed === null ? 'done' : sendBatch(sealed, state)

  async function sendBatch(batch: SealedBatch, { mirror: sent }: LocalState): Promise<'more' | 'done'> {
    const sentAt = now()
    const answer = await transport.sync(sent, batch.text)
    if (answer.kind === 'problem' && answer.code === 'stale')
      return (await refresh.after(sentAt)).kind === 'fresh' ? 'more' : 'done'
    if (answer.kind !== 'message') return unlessUnreachable(answer)
    const after = await change(
      (current) => settledBy(answer.message, { current, sent, batch }, now()),
      'relaxed',
    )
    return after.outbox.sealed?.text === batch.text ? 'done' : 'more'
  }

  async function change(step: StorageStep, durability: 'relaxed' | 'strict'): Promise<LocalState> {
    let before = state
    const after = await storage.transact((current) => step((before = current)), durability)
    options.tell(noticeOf(before, after))
    return after
  }
}

/** Nothing but what the batch has done. When anything else is new, all stays as it was. */
function settledBy(
  message: MirrorMessage,
  { current, sent, batch }: { current: LocalState; sent: LocalState['mirror']; batch: SealedBatch },
  now: number,
): LocalState {
  const { life, epoch } = current.mirror
  // An ending, a sign-out among them, is another life; another owner has another epoch.
  if (life !== sent.life || epoch !== sent.epoch) return current
  const settled = settle(current, batch, { outcomes: message.outcomes ?? [], keys: message.keys })
  const next = adoptMessage(settled, message, now)
  return next === 'gap' ? current : next
}

function unlessUnreachable(answer: ServerAnswer<unknown>): 'done' {
  const isLater =
    answer.kind === 'unreachable' || (answer.kind === 'problem' && answer.code === 'store-unavailable')
  if (isLater) throw new Error('The session server cannot be reached.')
  return 'done'
}
