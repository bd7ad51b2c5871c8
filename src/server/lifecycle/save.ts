// What `save` does to the store: each of a request's wishes as one function from where the session is to where it
// is then. Nothing here knows of cookies.
import { SessionError } from '../../protocol/errors.ts'
import { entryOf } from '../../protocol/state.ts'
import { type SignIn, createRecord, fits, isEmpty, renewed, signedIn } from '../changes/change.ts'
import type { Taken } from '../changes/draft.ts'
import type { Loading } from './load.ts'
import { type Place, type SessionRecord, createPlace } from '../codec/record.ts'
import { type Relocation, createFirst, endSession, relocate, tombstone } from './relocate.ts'

/** Where the session is as far as this request knows. */
export interface Present {
  readonly place: Place
  readonly record: SessionRecord
  /** The compare-and-swap token of a read; undefined once it is used. */
  readonly token: string | undefined
}

/** A new id and a new epoch: with somebody signed in, or with everything else as it was. */
export type Move = { readonly kind: 'sign-in'; readonly signIn: SignIn } | { readonly kind: 'regenerate' }

export interface Stored {
  readonly present: Present | undefined
  /** Names of the keys that were set or removed. */
  readonly changed: readonly string[]
}

/** @throws SessionError as `save` does */
export async function storeChanges(
  { core, commit }: Loading,
  present: Present | undefined,
  changes: Taken,
): Promise<Stored> {
  if (present === undefined) {
    const before = createRecord(core, null)
    const record = changes.apply(before, core.numbering(before))
    if (isEmpty(record)) return { present, changed: [] }
    const created = await createFirst(core, createPlace(core.ring, core.crypto), checkSize(record))
    return { present: { ...created, token: undefined }, changed: changedBy(changes, before, record) }
  }
  const { place, record, result } = await commit(present, (before) => {
    const after = changes.apply(before, core.numbering(before))
    return { record: after, result: changedBy(changes, before, after) }
  })
  return { present: { place, record, token: undefined }, changed: result }
}

/** @throws SessionError as `save` does; `ended` or `lost` when there is nothing left to give another id */
export async function storeMove(
  { core, owners }: Loading,
  present: Present | undefined,
  { move, changes }: { readonly move: Move; readonly changes: Taken },
): Promise<Stored> {
  const owner = move.kind === 'sign-in' ? move.signIn.owner : null
  const fresh = createRecord(core, owner)
  let changed: readonly string[] = []

  async function plan(before: SessionRecord | undefined): Promise<Omit<Relocation, 'leave'>> {
    const base = nextRecord(fresh, before, move)
    const record = checkSize(changes.apply(base, core.numbering(base)))
    changed = changedBy(changes, base, record)
    const to = createPlace(core.ring, core.crypto)
    if (record.owner !== null) await owners.enter(record.owner, { epoch: record.epoch, key: to.key })
    return { to, record }
  }

  const moved =
    present &&
    (await relocate(core, present.place, async ({ record }) => ({
      ...(await plan(record)),
      leave: tombstone(core, 'replaced'),
    })))
  if (moved !== undefined && !('state' in moved)) return { present: { ...moved, token: undefined }, changed }
  if (move.kind === 'regenerate') throw new SessionError(moved?.state === 'missing' ? 'lost' : 'ended')
  // An old session that ended meanwhile has nothing to carry; signing in does not depend on it.
  const { to, record } = await plan(undefined)
  return { present: { ...(await createFirst(core, to, record)), token: undefined }, changed }
}

/** @throws SessionError `store-unavailable`, `contention` */
export async function storeEnd(
  { core, owners }: Pick<Loading, 'core' | 'owners'>,
  { place, owner, isEverywhere }: { place: Place; owner: string | null; isEverywhere: boolean },
): Promise<void> {
  const isAll = isEverywhere && owner !== null
  if (isAll) await owners.endAll(owner, { reason: 'everywhere' })
  await endSession(core, place, isAll ? 'everywhere' : 'signed-out')
}

function nextRecord(fresh: SessionRecord, before: SessionRecord | undefined, move: Move): SessionRecord {
  if (move.kind === 'sign-in') return signedIn(fresh, before, move.signIn)
  return before === undefined ? fresh : renewed(fresh, before)
}

function changedBy(changes: Taken, before: SessionRecord, after: SessionRecord): readonly string[] {
  return changes.names.filter((name) => entryOf(before.keys, name) !== entryOf(after.keys, name))
}

export function checkSize(record: SessionRecord): SessionRecord {
  if (!fits(record)) throw new SessionError('too-large')
  return record
}
