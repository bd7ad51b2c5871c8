// When the session changes hands: adopting an answer, ending a session, and what becomes of the outbox.
// Owns the rule that a change written for one owner is never sent with another one's cookie.
import type { MirrorMessage } from '../../protocol/messages.ts'
import type { Mutation } from '../../protocol/mutation.ts'
import {
  type Ending,
  type LocalState,
  type MirrorDocument,
  type OpenMutation,
  type Parcel,
  type SealedBatch,
  belongs,
  isBlank,
  pendingOf,
} from '../steps/local-state.ts'
import { holdsMutation } from '../tabs/merge.ts'
import type { SyncedMirror } from '../tabs/quiet-mirror.ts'
import { changed, settle } from '../steps/outbox.ts'
import { type Parked, isOverdue, openParcel, parcelOf, toParcel } from './parking.ts'
import { tellError } from './tell-error.ts'
import { adoptMessage, changedMirror, clearOutbox, wipeMirror } from '../steps/snapshot.ts'

/** What was sent, and what was known then. */
export interface SentRequest {
  /** The document when the request left: the session that it spoke of, and in which life. */
  readonly document: MirrorDocument
  /** The batch that it carried, if any. */
  readonly sealed: SealedBatch | null
}

export interface HandoverOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Which of the changes that come back with their owner go out. */
  readonly onParked?: ((changes: readonly Mutation[]) => readonly Mutation[]) | undefined
  /** Told of those that do not. */
  readonly onDiscarded?: ((discarded: Discarded) => void) | undefined
}

export interface AnsweredRequest extends HandoverOptions {
  readonly sent: SentRequest
}

/**
 * Changes that came back with their owner and are given up: the app did not want them, they were parked for too long, or
 * the server's secret is another one by now, so that nobody can say what they were.
 */
export interface Discarded {
  /**
   * `unwanted`: `onParked` left them out. `overdue`: they were parked for more than a week. `unreadable`: the
   * key that encrypted them is gone.
   */
  readonly reason: 'unwanted' | 'overdue' | 'unreadable'
  /** The changes that are given up; empty when they could not be read. */
  readonly changes: readonly Mutation[]
}

/**
 * Takes an answer. `outdated`: this browser has moved on since the request left, so the answer says nothing
 * about now; `gap`: only the whole mirror helps.
 */
export async function adoptAnswer(
  mirror: SyncedMirror,
  message: MirrorMessage,
  answered: AnsweredRequest,
): Promise<'adopted' | 'gap' | 'outdated'> {
  const { sent, now } = answered
  for (;;) {
    const before = mirror.state
    const { durability } = mirror
    const parcel = isHandover(before, message.owner) ? await toParcel(before, now()) : undefined
    const taken: { as: 'adopted' | 'gap' | 'outdated' | 'again' } = { as: 'adopted' }
    await mirror.transact((current) => {
      const state =
        sent.sealed === null
          ? current
          : settle(current, sent.sealed, { outcomes: message.outcomes ?? [], keys: message.keys })
      const handsOver = isHandover(state, message.owner)
      taken.as = isOutdated(state, message, sent) ? 'outdated' : 'adopted'
      // Something was written while the outbox was being encrypted: encrypt it again, with that.
      if (taken.as === 'adopted' && handsOver && !isSameOutbox(state, before)) taken.as = 'again'
      // Memory has taken over from the disk, or the other way round: what was encrypted is not this state's.
      if (taken.as === 'adopted' && mirror.durability !== durability) taken.as = 'again'
      if (taken.as !== 'adopted') return state
      // Outcomes that are remembered, too: a conflict's holds a value of whoever was here.
      const isOther = state.mirror.owner !== message.owner
      const next = adoptMessage(isOther ? clearOutbox(state, parcel) : state, message, now())
      if (next === 'gap') taken.as = 'gap'
      return next === 'gap' ? state : withoutOverdue(next, now())
    })
    if (taken.as === 'again') continue
    if (taken.as === 'adopted') await unpark(mirror, answered)
    return taken.as
  }
}

/** Ends the session that the request spoke of, unless this browser has moved on to another one. */
export async function endAnswered(
  mirror: SyncedMirror,
  how: Ending,
  answered: AnsweredRequest,
): Promise<void> {
  const { sent, now } = answered
  for (;;) {
    const before = mirror.state
    const { durability } = mirror
    const parcel = isHandover(before, null) ? await toParcel(before, now()) : undefined
    let isDone = true
    await mirror.transact((state) => {
      isDone = true
      if (isOtherLife(state.mirror, sent)) return state
      const handsOver = isHandover(state, null)
      // As in `adoptAnswer`.
      if ((handsOver && !isSameOutbox(state, before)) || mirror.durability !== durability) isDone = false
      if (!isDone) return state
      const isOther = state.mirror.owner !== null
      const next =
        sent.document.epoch === null
          ? told(state)
          : wipeMirror(isOther ? clearOutbox(state, parcel) : state, how)
      return how.state === 'lost'
        ? { ...next, mirror: changedMirror(next.mirror, { leaving: { kind: 'lost' } }) }
        : next
    })
    if (isDone) break
  }
  await unpark(mirror, answered)
}

/** Notes that there is no session, in a browser that had no mirror: it would find the same dead cookie again and again. */
function told(state: LocalState): LocalState {
  return !isBlank(state.mirror) ? state : { ...state, mirror: changedMirror(state.mirror, {}) }
}

/** Puts back into the outbox what was parked for who is here now. */
async function unpark(mirror: SyncedMirror, { now, onParked, onDiscarded }: HandoverOptions): Promise<void> {
  const parcel = parcelOf(mirror.state)
  if (parcel === undefined) return
  const parked = await openParcel(parcel, mirror.document.parking)
  const isLate = isOverdue(parcel, now())
  // Asked before the transaction, because a throw of the app's code in there would look like broken storage.
  const open = parked === undefined || isLate ? [] : chosen(parked.open, onParked)
  let isTaken = false
  await mirror.transact((state) => {
    isTaken = false
    // Another tab was quicker, or somebody else is here by now.
    if (!state.parcels.some((kept) => kept.key === parcel.key) || parcelOf(state)?.id !== parcel.id)
      return state
    const emptied = { ...state, parcels: without(state.parcels, parcel) }
    const isLost = parked === undefined || isLate
    if (!isLost && state.outbox.sealed !== null) return state
    isTaken = true
    if (isLost) return emptied
    const { sealed } = parked
    const number = Math.max(state.outbox.number, sealed?.number ?? 0)
    // A write that was under way when it was parked may have reached the disk after all, and have been sent from there since.
    const back = open.filter(({ mutation }) => !holdsMutation(state, mutation.id))
    return { ...emptied, outbox: changed(state.outbox, { sealed, number }), open: [...back, ...state.open] }
    // Strict, as sealing: after a power cut the batch would come out of the parcel once more, behind later ones.
  }, 'strict')
  const discarded = isTaken ? discardedOf({ parked, isLate, open }) : undefined
  if (discarded !== undefined) onDiscarded?.(discarded)
}

/** The changes that the app wants to go out. All of them should `onParked` throw: only a clear answer gives changes up. */
function chosen(
  open: readonly OpenMutation[],
  onParked: HandoverOptions['onParked'],
): readonly OpenMutation[] {
  if (onParked === undefined || open.length === 0) return open
  try {
    const wanted = new Set(onParked(open.map((entry) => entry.mutation)).map(({ id }) => id))
    return open.filter((entry) => wanted.has(entry.mutation.id))
  } catch (error) {
    tellError(error)
    return open
  }
}

function discardedOf({
  parked,
  isLate,
  open,
}: {
  readonly parked: Parked | undefined
  readonly isLate: boolean
  readonly open: readonly OpenMutation[]
}): Discarded | undefined {
  if (parked === undefined) return { reason: isLate ? 'overdue' : 'unreadable', changes: [] }
  const left = parked.open.filter((entry) => !open.includes(entry)).map((entry) => entry.mutation)
  if (isLate) return { reason: 'overdue', changes: [...(parked.sealed?.mutations ?? []), ...left] }
  return left.length === 0 ? undefined : { reason: 'unwanted', changes: left }
}

/** Somebody else takes over, and there is something of who was here. */
function isHandover(state: LocalState, owner: string | null): boolean {
  if (state.mirror.owner === owner) return false
  return (
    state.outbox.sealed !== null ||
    state.open.some((entry) => belongs(entry, state) && entry.owner !== undefined)
  )
}

function isOutdated({ mirror }: LocalState, message: MirrorMessage, sent: SentRequest): boolean {
  if (mirror.leaving !== null) return true
  if (mirror.epoch === message.epoch) return false
  // The same epoch in another life: signed in and out again while the answer was on its way.
  return isOtherLife(mirror, sent)
}

/** Whether this browser has moved on since a request left: to another session, or to another life of the same one. */
function isOtherLife({ epoch, life }: MirrorDocument, { document }: SentRequest): boolean {
  return epoch !== document.epoch || life !== document.life
}

/** Whether all that storage holds was in what was encrypted; more in there are writes still under way. */
function isSameOutbox(stored: LocalState, encrypted: LocalState): boolean {
  const ids = new Set(pendingOf(encrypted).map((mutation) => mutation.id))
  return pendingOf(stored).every((mutation) => ids.has(mutation.id))
}

/** Without other owners' overdue parcels. The parcel of who is here stays: they are told what was in it. */
function withoutOverdue(state: LocalState, now: number): LocalState {
  const own = parcelOf(state)
  const parcels = state.parcels.filter((parcel) => parcel === own || !isOverdue(parcel, now))
  return parcels.length === state.parcels.length ? state : { ...state, parcels }
}

function without(parcels: readonly Parcel[], gone: Parcel): readonly Parcel[] {
  return parcels.filter((parcel) => parcel.key !== gone.key)
}
