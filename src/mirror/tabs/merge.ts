// How tabs keep in step: a notice of another tab on top of this tab's state, and the notice of this tab's own change. Pure.
import type { Notice } from './channel.ts'
import { type LocalState, type OpenMutation, isBlank } from '../steps/local-state.ts'
import { withOpen } from '../steps/outbox.ts'

/** A notice from another tab on top of this tab's state. Documents older than this tab's are ignored. */
export function merge(state: LocalState, notice: Notice): LocalState {
  const { mirror, outbox, added = [], gone = [], parcels } = notice
  const newest = mirror !== undefined && mirror.version > state.mirror.version ? mirror : state.mirror
  // A batch of who was here before must not stay on screen, even if we have missed that it was parked.
  const isOther = newest.owner !== state.mirror.owner
  const kept = isOther ? { ...state.outbox, sealed: null, settled: {} } : state.outbox
  const next = {
    ...state,
    mirror: newest,
    outbox: outbox !== undefined && outbox.version > kept.version ? outbox : kept,
  }
  // Parcels have no version: they come and go with the outbox.
  if (parcels !== undefined && next.outbox === outbox) next.parcels = parcels
  let open: readonly OpenMutation[] = next.open.filter(
    (entry) => !gone.includes(entry.stamp) && !holdsMutation({ ...next, open: [] }, entry.mutation.id),
  )
  for (const entry of added) {
    // A write that this tab has already may have got a new base.
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
export function newer(loaded: LocalState, current: LocalState): LocalState {
  const isOldMirror = loaded.mirror.version < current.mirror.version && !isBlank(loaded.mirror)
  const isOther = isOldMirror && loaded.mirror.owner !== current.mirror.owner
  const isOld = isOther || (loaded.outbox.version < current.outbox.version && !isBlank(loaded.outbox))
  const outboxAndOpen = isOld ? { outbox: current.outbox, open: current.open } : {}
  return { ...loaded, ...outboxAndOpen, mirror: isOldMirror ? current.mirror : loaded.mirror }
}

/** What the other tabs have to be told of the change from `before` to `after`. */
export function noticeOf(before: LocalState, after: LocalState): Notice {
  const gone = before.open.filter((entry) => !after.open.includes(entry)).map((entry) => entry.stamp)
  const added = after.open.filter((entry) => !before.open.includes(entry))
  return {
    // An outbox is told together with its owner: the tab that changed the owner may have died before it told anybody.
    mirror: after.mirror === before.mirror && after.outbox === before.outbox ? undefined : after.mirror,
    outbox: after.outbox === before.outbox ? undefined : after.outbox,
    parcels: after.parcels === before.parcels ? undefined : after.parcels,
    added,
    gone: gone.filter((stamp) => !added.some((entry) => entry.stamp === stamp)),
  }
}

/** Whether the mutation is open, sealed, or was settled lately. */
export function holdsMutation(state: LocalState, id: string): boolean {
  const { outbox, open } = state
  if (Object.hasOwn(outbox.settled, id)) return true
  return [...(outbox.sealed?.mutations ?? []), ...open.map((entry) => entry.mutation)].some(
    (mutation) => mutation.id === id,
  )
}
