// Carrying out a request's plan: each of its wishes as one function, from where the session is to where it is then.
// Nothing here knows of cookies.
import { checkSize, createRecord, isEmpty, regenerated, signedIn } from '../changes/change.ts'
import type { EndScope, KeySteps, Move } from '../changes/plan.ts'
import { type Place, type Placed, type SessionRecord, createPlace } from '../codec/record.ts'
import { checkAnonymous } from '../core/guard.ts'
import { refusal } from '../core/refusal.ts'
import type { CoreRequest } from '../http/request.ts'
import type { DeadSession } from './loaded.ts'
import { endSession, tombstone } from './relocate.ts'
import type { Lifecycle } from './lifecycle.ts'
import { goneError } from './locate.ts'
import { type Relocation, createFirst, relocate } from './relocate.ts'

export interface Performed {
  /** Where the session is now; undefined: there is none. */
  readonly present: Placed | undefined
  /** Names of the keys that were set or removed. */
  readonly changed: readonly string[]
}

/**
 * Stores changes of keys: in the session that is there, or in one that begins with them.
 * @throws SessionError `ended`, `reuse` or `lost` when the session is gone, `too-large`, `contention`,
 * `store-unavailable`, `anonymous-full`
 */
export async function performChanges(
  { core, commit }: Lifecycle,
  present: Placed | undefined,
  { changes, request }: { readonly changes: KeySteps; readonly request: CoreRequest | undefined },
): Promise<Performed> {
  if (present !== undefined) {
    const { place, record, result } = await commit(present, (before) => {
      const after = changes.apply(before, core.numbering(before))
      return { record: after, result: changes.changedBetween(before, after) }
    })
    return { present: { place, record }, changed: result }
  }
  const before = createRecord(core, null)
  const record = changes.apply(before, core.numbering(before))
  if (isEmpty(record)) return { present, changed: [] }
  checkSize(record)
  if (request !== undefined) await checkAnonymous(core, request)
  const created = await createFirst(core, createPlace(core.ring, core.crypto), record)
  return { present: created, changed: changes.changedBetween(before, record) }
}

/**
 * Gives the session a new id and a new epoch, with the changes on top.
 * @throws SessionError as `performChanges` does; a sign-in goes on without the session before when that is gone
 */
export async function performMove(
  { core, owners }: Lifecycle,
  present: Placed | undefined,
  { move, changes }: { readonly move: Move; readonly changes: KeySteps },
): Promise<Performed> {
  const fresh = createRecord(core, move.kind === 'sign-in' ? move.signIn.owner : null)
  let changed: readonly string[] = []

  async function next(before: SessionRecord | undefined): Promise<Omit<Relocation, 'leave'>> {
    const base = movedRecord(fresh, before, move)
    const record = changes.apply(base, core.numbering(base))
    checkSize(record)
    changed = changes.changedBetween(base, record)
    const to = createPlace(core.ring, core.crypto)
    if (record.owner !== null) await owners.enter(record.owner, { epoch: record.epoch, key: to.key })
    return { to, record }
  }

  const relocated =
    present &&
    (await relocate(core, present.place, async ({ record }) => ({
      ...(await next(record)),
      leave: tombstone(core, 'replaced'),
    })))
  if (relocated?.state === 'live') return { present: relocated.placed, changed }
  if (move.kind === 'regenerate') throw relocated === undefined ? refusal('ended') : goneError(relocated)
  // An old session that ended meanwhile has nothing to carry; signing in does not depend on it.
  const { to, record } = await next(undefined)
  return { present: await createFirst(core, to, record), changed }
}

/**
 * Ends a session, or all sessions of its owner; those of nobody are only this one.
 * @throws SessionError `store-unavailable`, `contention`
 */
export async function performEnd(
  { core, owners }: Pick<Lifecycle, 'core' | 'owners'>,
  { place, owner }: { readonly place: Place; readonly owner: string | null },
  scope: EndScope,
): Promise<void> {
  const isAll = scope === 'everywhere' && owner !== null
  if (isAll) await owners.endAll(owner, { reason: 'everywhere' })
  await endSession(core, place, isAll ? 'everywhere' : 'signed-out')
}

/**
 * Ends every session that a cookie of the request names, where these are several: nobody can tell which is meant, and
 * with any of them alive the browser would stay where it is.
 * @throws SessionError `store-unavailable`, `contention`
 */
export async function endRivals(
  lifecycle: Pick<Lifecycle, 'core' | 'owners'>,
  { rivals = [] }: DeadSession,
  scope: EndScope,
): Promise<void> {
  await Promise.all(rivals.map((rival) => performEnd(lifecycle, rival, scope)))
}

function movedRecord(fresh: SessionRecord, before: SessionRecord | undefined, move: Move): SessionRecord {
  if (move.kind === 'sign-in') return signedIn(fresh, before, move.signIn)
  return before === undefined ? fresh : regenerated(fresh, before)
}
