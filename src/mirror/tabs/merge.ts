// What a tab makes of what others did: notices on top of what it knows, and what it tells them in turn. Pure.
import type { Notice } from './channel.ts'
import { type LocalState, type OpenMutation, isBlank } from '../steps/local-state.ts'
import { withOpen } from '../steps/outbox.ts'

/** A notice from another tab on top of what this one knows; older documents are passed over. */
export function merge(state: LocalState, notice: Notice): LocalState {
  const { mirror, outbox, added = [], gone = [], parcels } = notice
  const newest = mirror !== undefined && mirror.version > state.mirror.version ? mirror : state.mirror
  // A batch of who was here before must not stay on screen, even if we have missed that it was parked.
  const isOther = newest.owner !== state.mirror.owner
  const known = isOther ? { ...state.outbox, sealed: null, settled: {} } : state.outbox
  const next = {
    ...state,
    mirror: newest,
    outbox: outbox !== undefined && outbox.version > known.version ? outbox : known,
  }
  // Parcels have no version: they come and go with the outbox.
  if (parcels !== undefined && next.outbox === outbox) next.parcels = parcels
  let open: readonly OpenMutation[] = next.open.filter(
    (entry) => !gone.includes(entry.stamp) && !holdsMutation({ ...next, open: [] }, entry.mutation.id),
  )
  for (const entry of added) {
    // One that we have may be on a new base by now.
    if (open.some(({ stamp }) => stamp === entry.stamp))
      open = open.map((other) => (other.stamp === entry.stamp ? entry : other))
    else if (!holdsMutation(next, entry.mutation.id)) open = withOpen(open, entry)
  }
  return { ...next, open }
}

/**
 * A read that was under way while another tab's newer documents arrived must not put the older ones back. A
 * blank one is newer all the same: the user has cleared the database.
 */
export function newer(loaded: LocalState, known: LocalState): LocalState {
  const isOldMirror = loaded.mirror.version < known.mirror.version && !isBlank(loaded.mirror)
  const isOther = isOldMirror && loaded.mirror.owner !== known.mirror.owner
  const isOld = isOther || (loaded.outbox.version < known.outbox.version && !isBlank(loaded.outbox))
  const outboxAndOpen = isOld ? { outbox: known.outbox, open: known.open } : {}
  return { ...loaded, ...outboxAndOpen, mirror: isOldMirror ? known.mirror : loaded.mirror }
}

export function noticeOf(before: LocalState, after: LocalState): Notice {
  const gone = before.open.filter((entry) => !after.open.includes(entry)).map((entry) => entry.stamp)
  const added = after.open.filter((entry) => !before.open.includes(entry))
  return {
    // With the outbox goes whose it is: who has made the mirror theirs may have died before telling.
    mirror: after.mirror === before.mirror && after.outbox === before.outbox ? undefined : after.mirror,
    outbox: after.outbox === before.outbox ? undefined : after.outbox,
    parcels: after.parcels === before.parcels ? undefined : after.parcels,
    added,
    gone: gone.filter((stamp) => !added.some((entry) => entry.stamp === stamp)),
  }
}

/** Whether a mutation is in there, or has been settled lately. */
export function holdsMutation(state: LocalState, id: string): boolean {
  const { outbox, open } = state
  if (Object.hasOwn(outbox.settled, id)) return true
  return [...(outbox.sealed?.mutations ?? []), ...open.map((entry) => entry.mutation)].some(
    (known) => known.id === id,
  )
}
