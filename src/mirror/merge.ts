// What a tab makes of what others did: notices on top of what it knows, and what it tells them in turn. Pure.
import type { Notice } from './channel.ts'
import type { LocalState, OpenMutation } from './local.ts'
import { withOpen } from './outbox.ts'

/** A notice from another tab on top of what this one knows; older documents are passed over. */
export function merge(state: LocalState, { mirror, outbox, added = [], gone = [] }: Notice): LocalState {
  const next = {
    ...state,
    mirror: mirror !== undefined && mirror.version > state.mirror.version ? mirror : state.mirror,
    outbox: outbox !== undefined && outbox.version > state.outbox.version ? outbox : state.outbox,
  }
  let open: readonly OpenMutation[] = next.open.filter(
    (entry) => !gone.includes(entry.stamp) && !isKnown({ ...next, open: [] }, entry.mutation.id),
  )
  for (const entry of added) if (!isKnown(next, entry.mutation.id)) open = withOpen(open, entry)
  return { ...next, open }
}

/**
 * A read that was under way while another tab's newer documents arrived must not put the older ones back. A
 * version of 0 is an empty database: the user has cleared it, and that is newer.
 */
export function newer(loaded: LocalState, known: LocalState): LocalState {
  const isOld = loaded.outbox.version < known.outbox.version && loaded.outbox.version > 0
  const outboxAndOpen = isOld ? { outbox: known.outbox, open: known.open } : {}
  const isOldMirror = loaded.mirror.version < known.mirror.version && loaded.mirror.version > 0
  return { ...loaded, ...outboxAndOpen, mirror: isOldMirror ? known.mirror : loaded.mirror }
}

export function difference(before: LocalState, after: LocalState): Notice {
  const gone = before.open.filter((entry) => !after.open.includes(entry)).map((entry) => entry.stamp)
  const added = after.open.filter((entry) => !before.open.includes(entry))
  return {
    mirror: after.mirror === before.mirror ? undefined : after.mirror,
    outbox: after.outbox === before.outbox ? undefined : after.outbox,
    added,
    gone: gone.filter((stamp) => !added.some((entry) => entry.stamp === stamp)),
  }
}

/** Whether a mutation is in there, or has been settled lately. */
export function isKnown(state: LocalState, id: string): boolean {
  const { outbox, open } = state
  if (Object.hasOwn(outbox.settled, id)) return true
  return [...(outbox.sealed?.mutations ?? []), ...open.map((entry) => entry.mutation)].some(
    (known) => known.id === id,
  )
}
