// The writes of this page that are on their way, and the promise of what became of each.
import type { Json } from '../protocol/json.ts'
import type { Mutation, Outcome } from '../protocol/mutation.ts'
import { type LocalState, pendingOf } from '../mirror/steps/local-state.ts'
import type { Durability } from '../mirror/storage/storage.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'

/** What became of a write: the server's own outcomes, and those that only a browser knows. */
export type WriteOutcome =
  | Outcome
  /** A later write of the same key took its place before it was sent. */
  | { readonly code: 'superseded' }
  /** The owner left before it was sent. It is kept, encrypted, and goes out when that owner is back. */
  | { readonly code: 'parked' }
  /** Given up: by `signOut`, or because its owner left and it could not be parked. */
  | { readonly code: 'discarded' }
  /** Storage failed after it was kept there. The next start sends it, if storage can be read then. */
  | { readonly code: 'left-on-disk' }

/** One write of the app, on its way. */
export interface Write {
  /** Resolves when the write is kept: on disk, or only in this tab's memory. Never rejects. */
  readonly stored: Promise<Durability>
  /** Resolves with the server's word, which may be much later when offline. Never rejects. */
  readonly acknowledged: Promise<WriteOutcome>
}

/** What a write does to the value that it finds. */
export type ValueChange = (value: Json | undefined) => unknown

/** A write that can be made again. */
export interface PendingWrite extends Write {
  /** What it does to the value, with what those writes would have done that were never sent because of it. */
  changes(): readonly ValueChange[]
}

export interface PendingWrites {
  /** Shows and keeps a mutation. */
  add(mutation: Mutation, changes: readonly ValueChange[]): PendingWrite
  /** Answers the writes that `after` says something about. */
  follow(after: LocalState, before: LocalState): void
  /** Storage has failed: what is not in `state` stays where it was kept. */
  leaveOnDisk(state: LocalState): void
}

interface Awaited {
  /** Who was here when it was written. */
  readonly owner: string | null
  resolve: (outcome: WriteOutcome) => void
  /** Gone from the outbox because of a later write. */
  isReplaced: boolean
  /** What it does to the value. */
  readonly changes: readonly ValueChange[]
  /** Writes of this tab whose place it took. */
  readonly replaced: Awaited[]
}

export function createPendingWrites(mirror: TabMirror): PendingWrites {
  const waiting = new Map<string, Awaited>()
  /** The write that is being made, and the ids of what it replaces: those become its own to do again. */
  let taker: { readonly awaited: Awaited; readonly ids: string[] } | undefined

  const tellReplaced = replacedTeller(mirror, waiting)

  return {
    add(mutation, changes) {
      const { owner } = mirror
      const awaited: Awaited = { owner, resolve: () => undefined, isReplaced: false, changes, replaced: [] }
      const acknowledged = new Promise<WriteOutcome>((resolve) => {
        awaited.resolve = (outcome) => mirror.calls.run(() => resolve(outcome))
      })
      const ids: string[] = []
      waiting.set(mutation.id, awaited)
      taker = { awaited, ids }
      const stored = mirror.write(mutation)
      taker = undefined
      // Asked any earlier, storage would read first, and this write would wait for it.
      if (ids.length > 0) void stored.then(() => tellReplaced(ids))
      return { stored, acknowledged, changes: () => changesOf(awaited) }
    },
    follow(after, before) {
      if (waiting.size === 0) return
      const pending = idsOf(after)
      const ids: string[] = []
      for (const [id, awaited] of waiting) {
        if (pending.has(id)) awaited.isReplaced = false
        if (pending.has(id) || awaited.isReplaced) continue
        const outcome = after.outbox.settled[id] ?? fateOf(id, awaited, { after, before })
        awaited.isReplaced = outcome.code === 'superseded'
        if (awaited.isReplaced) {
          ids.push(id)
          taker?.awaited.replaced.push(awaited)
          continue
        }
        waiting.delete(id)
        awaited.resolve(outcome)
      }
      if (taker === undefined) void tellReplaced(ids)
      else taker.ids.push(...ids)
    },
    leaveOnDisk(state) {
      const pending = idsOf(state)
      for (const [id, { resolve }] of waiting) {
        if (pending.has(id)) continue
        waiting.delete(id)
        resolve({ code: 'left-on-disk' })
      }
    },
  }
}

/** What a later write replaced may have been sealed in the same moment: storage knows. */
function replacedTeller(
  mirror: TabMirror,
  waiting: Map<string, Awaited>,
): (ids: readonly string[]) => Promise<void> {
  const toTell: string[] = []
  return async (ids) => {
    if (ids.length === 0) return
    const isFirst = toTell.length === 0
    toTell.push(...ids)
    if (!isFirst) return
    // Writes that were kept together ask together: storage is read once for all of them.
    await Promise.resolve()
    const all = toTell.splice(0)
    const { outbox } = await mirror.reload()
    for (const id of all) {
      const awaited = waiting.get(id)
      if (awaited?.isReplaced !== true) continue
      waiting.delete(id)
      const outcome = outbox.settled[id]
      awaited.isReplaced = outcome === undefined
      awaited.resolve(outcome ?? { code: 'superseded' })
    }
  }
}

function idsOf(state: LocalState): ReadonlySet<string> {
  return new Set(pendingOf(state).map(({ id }) => id))
}

function changesOf({ changes, replaced }: Awaited): readonly ValueChange[] {
  return [...replaced.filter(({ isReplaced }) => isReplaced).flatMap(changesOf), ...changes]
}

/** An unsent write is gone from the outbox: why? */
function fateOf(
  id: string,
  { owner }: Awaited,
  { after, before }: { readonly after: LocalState; readonly before: LocalState },
): WriteOutcome {
  // A write that came too late for the parcel is not in there.
  if (after.parcels.some(({ ids }) => ids?.includes(id))) return { code: 'parked' }
  const isOver = after.mirror.life !== before.mirror.life || after.mirror.owner !== owner
  return { code: isOver ? 'discarded' : 'superseded' }
}
