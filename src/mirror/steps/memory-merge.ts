// What memory has, put back onto a disk that is well again. Pure. Owns the rule that nothing is sent twice, that nothing of a session
// that is over comes back, and that a write which waited on the disk never comes out over a newer one.
import type { LocalState, MirrorDocument, OpenMutation, OutboxDocument, Parcel } from './local-state.ts'
import { isBlank, nextVersion } from './local-state.ts'
import { changed, replaces, withOpen } from './outbox.ts'
import { randomToken } from './random-token.ts'
import { clearOutbox } from './snapshot.ts'

export interface MemoryMerge {
  /** Holds the outbox of who has left (`leaverOf`), where that is kept. */
  readonly parcel: Parcel | undefined
  /** For each key the last write that was made in memory, sent or not. */
  readonly newest: readonly OpenMutation[]
  /** The batch that was on its way when memory took over: older than all of those. */
  readonly behind?: string | undefined
}

/**
 * Undefined while both have a batch on its way: two names cannot share one outbox, and each batch may have been applied already. It
 * is tried again when the answer to one of them is there.
 */
export function mergeMemory(
  disk: LocalState,
  memory: LocalState,
  { parcel, newest, behind }: MemoryMerge,
): LocalState | undefined {
  const leaver = leaverOf(disk, memory)
  const [kept, added] = [
    leaver === 'disk' ? clearOutbox(disk) : disk,
    leaver === 'memory' ? clearOutbox(memory) : memory,
  ]
  if (kept.outbox.sealed !== null && added.outbox.sealed !== null) return undefined
  const mirror = mirrorOf(disk, memory)
  const later =
    leaver === undefined ? newest.map((entry) => ({ ...entry, owner: entry.owner ?? mirror.owner })) : []
  const waited = kept.open.filter((entry) => !later.some((write) => overrides(write, entry)))
  const overtaken = kept.outbox.sealed?.text === behind ? later : laterThan(kept.outbox, later)
  const again = resent(kept.outbox, overtaken).filter(
    ({ stamp }) => !added.open.some((entry) => entry.stamp === stamp),
  )
  let open: readonly OpenMutation[] = []
  for (const entry of [...waited, ...added.open, ...again]) open = withOpen(open, entry)
  const parcels = parcel === undefined ? disk.parcels : [...disk.parcels, parcel]
  return { mirror, outbox: outboxOf(kept.outbox, added.outbox), open, parcels }
}

/**
 * Whose unsent changes are of somebody who is not here any more: of two sessions the one that was told later stays. Nothing of the
 * other one may be sent with its cookie.
 */
export function leaverOf(
  { mirror: disk }: LocalState,
  { mirror: memory }: LocalState,
): 'disk' | 'memory' | undefined {
  if (isBlank(disk) || isBlank(memory)) return undefined
  const [stays, leaves] = isNewer(memory, disk) ? [memory, disk] : [disk, memory]
  // A session that begins takes over what was written before it.
  const isOver = leaves.epoch !== null && stays.epoch === null
  if (disk.owner === memory.owner && !isOver) return undefined
  return leaves === disk ? 'disk' : 'memory'
}

function isNewer(memory: MirrorDocument, disk: MirrorDocument): boolean {
  return !isBlank(memory) && memory.version > disk.version
}

function mirrorOf({ mirror: disk }: LocalState, { mirror: memory }: LocalState): MirrorDocument {
  if (!isNewer(memory, disk)) return disk
  const isSame = memory.epoch === disk.epoch
  const life = Math.max(memory.life, isSame ? disk.life : disk.life + 1)
  return { ...memory, life, version: nextVersion(Math.max(memory.version, disk.version)) }
}

function outboxOf(disk: OutboxDocument, memory: OutboxDocument): OutboxDocument {
  const settled = { ...disk.settled, ...memory.settled }
  const version = Math.max(disk.version, memory.version)
  return changed(memory.sealed === null ? disk : memory, { settled, version: nextVersion(version) })
}

/**
 * The batch on the disk cannot be made anew, because it may have been applied already. Where it holds a write that a newer one has
 * overtaken, that newer one is sent once more, behind it.
 */
function resent({ sealed }: OutboxDocument, later: readonly OpenMutation[]): readonly OpenMutation[] {
  // One with a base meets what is there by now: the server sees the conflict.
  const blind = (sealed?.mutations ?? []).filter(
    (mutation) => !('base' in mutation) || mutation.base === undefined,
  )
  const keys = new Set(blind.map(({ key }) => key))
  return later
    .filter(({ mutation }) => keys.has(mutation.key))
    .map((entry) => {
      const { base: _, ...mutation } = { base: undefined, ...entry.mutation }
      return { ...entry, mutation: { ...mutation, id: randomToken() }, saw: [] } as OpenMutation // Without a base it is still one of its kind.
    })
}

/** A batch that was sealed later may hold a later write still: another tab's, which had the disk. Both are local milliseconds. */
function laterThan({ version }: OutboxDocument, writes: readonly OpenMutation[]): readonly OpenMutation[] {
  return writes.filter(({ stamp }) => Number.parseInt(stamp, 36) > version)
}

/** The one has met the server already, or will: the other must not come after it. One with a base is told a conflict there. */
function overrides(later: OpenMutation, earlier: OpenMutation): boolean {
  if (replaces(later, earlier)) return true
  const { mutation } = earlier
  if (mutation.key !== later.mutation.key || earlier.stamp >= later.stamp) return false
  return earlier.owner === later.owner && mutation.kind !== 'increment' && mutation.base === undefined
}
