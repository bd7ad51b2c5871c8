// Storing a session at a new place, giving it another id, and ending it. The order is what makes a move safe: the new
// item is written first, under an id that nobody knows; one compare-and-swap on the old item then decides. When that
// fails, nobody ever sees the new item. What is ended stays ended, whatever else writes at the same time.
import { SessionError } from '../../protocol/errors.ts'
import {
  type EndReason,
  type NamedPlace,
  type Place,
  type Placed,
  type ReadRecord,
  type SessionRecord,
  type Stored,
  decodeStored,
  encodeStored,
} from '../codec/record.ts'
import { type Core, now, tombstoneSeconds } from '../core/core.ts'
import { retry } from '../changes/retry.ts'
import { millisecondsSince } from '../core/watch.ts'
import { type Gone, type LocatedLive, goneError, locate, unavailable } from './locate.ts'

export interface Relocation {
  readonly to: NamedPlace
  readonly record: SessionRecord
  /** What the old item becomes. */
  readonly leave: Stored
}

/** Where a session is after a move that was wanted; or how it was found gone. */
export type Relocated = { readonly state: 'live'; readonly placed: Placed } | Gone

/**
 * Moves the session at `from` as `plan` says. `plan` sees the newest record, and runs again after a conflict. It gives
 * undefined to leave the session where it is.
 * @throws SessionError `store-unavailable`, `contention`, and what `plan` throws
 */
export function relocate(
  core: Core,
  from: Place,
  plan: (found: LocatedLive) => Relocation | undefined | Promise<Relocation | undefined>,
): Promise<Relocated> {
  return retry(async () => {
    const found = await locate(core, from)
    if (found.state !== 'live') return found
    const relocation = await plan(found)
    if (relocation === undefined)
      return { state: 'live', placed: { place: found.place, record: found.record } }
    const placed = await createAt(core, relocation.to, relocation.record)
    if (await replaceByEnd(core, found, relocation.leave)) return { state: 'live', placed }
    core.watch.tell('conflict', { operation: 'move' })
    // Nobody knows the new place. This only gives its room back.
    await core.store.end(placed.place.key, encodeStored(relocation.leave, placed.place.key, core.ring), 1)
    return 'again'
  })
}

/**
 * Stores the beginning of a session, at a place that was never used: a commit of its own.
 * @throws SessionError `store-unavailable`; `ended` when all sessions of its owner were ended meanwhile
 */
export async function createFirst(core: Core, place: Place, record: SessionRecord): Promise<Placed> {
  const started = performance.now()
  const created = await createAt(core, place, record)
  core.watch.tell('commit', { writers: 1, attempts: 1, milliseconds: millisecondsSince(started) })
  return created
}

/** Rounds of 20 tries each before the end is written without a comparison: about a second and a half in all. */
const maxRounds = 3

/**
 * Ends a session wherever it is by now. When it is gone already, makes sure that it stays so.
 * @returns whether the session was alive
 * @throws SessionError `store-unavailable`
 */
export async function endSession(
  core: Core,
  from: Place,
  reason: Exclude<EndReason, 'replaced'>,
): Promise<boolean> {
  const started = performance.now()
  const wasLive = await endInRounds(core, from, reason)
  if (wasLive && reason !== 'reuse')
    core.watch.tell('revoke', { reason, milliseconds: millisecondsSince(started) })
  return wasLive
}

/**
 * Writes tombstones at all the places, whatever is there.
 * @throws SessionError `store-unavailable`: some may have been written
 */
export async function endAll(core: Core, places: readonly Place[], reason: EndReason): Promise<undefined> {
  const ends = places.map(async ({ key }) => {
    const value = encodeStored(tombstone(core, reason), key, core.ring)
    const ended = await core.store.end(key, value, tombstoneSeconds(core))
    if (ended.kind === 'unavailable') throw unavailable(ended)
  })
  await Promise.all(ends)
}

/** What is stored in the place of a record that ended now. */
export function tombstone(core: Core, reason: EndReason): Stored {
  return { kind: 'tombstone', reason, at: now(core) }
}

/**
 * Ends by compare-and-swap as long as there is hope, because what is overwritten unread may be the pointer to where the
 * session has just moved. In the end nobody is left signed in because others write too much.
 */
async function endInRounds(core: Core, from: Place, reason: EndReason): Promise<boolean> {
  let wasLive = false
  for (let round = 1; round <= maxRounds; round++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each round begins after the one before has failed
      await retry(async () => {
        const found = await locate(core, from)
        if (found.state === 'ended') return undefined
        if (found.state === 'missing') return endAll(core, found.places.slice(-1), reason)
        wasLive = true
        return (await replaceByEnd(core, found, tombstone(core, reason))) ? undefined : 'again'
      })
      return wasLive
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'contention') throw error
    }
  }
  await endAll(core, (await locate(core, from)).places, reason)
  return wasLive
}

/**
 * Replaces a live record, if nobody was quicker, by what says where the session went or why it ended.
 * @returns whether it was replaced
 */
async function replaceByEnd(
  core: Core,
  { place, record, token }: ReadRecord,
  leave: Stored,
): Promise<boolean> {
  const value = encodeStored(leave, place.key, core.ring)
  const leaves = leave.kind === 'tombstone' ? 'ended' : 'moved'
  const ttlSeconds = tombstoneSeconds(core)
  const replaced = await core.store.replace(place.key, value, { token, ttlSeconds, leaves })
  if (replaced.kind === 'unavailable') throw unavailable(replaced)
  // The streams of a session that moved on read it again; those of one that ended find that out.
  if (replaced.kind === 'stored') core.feed.publish(record.epoch)
  return replaced.kind === 'stored'
}

async function createAt(core: Core, place: Place, record: SessionRecord): Promise<Placed> {
  const value = encodeStored({ kind: 'live', record }, place.key, core.ring)
  const created = await core.store.create(place.key, value, core.times.idleTimeoutSeconds)
  if (created.kind === 'unavailable') throw unavailable(created)
  if (created.kind === 'exists') throw await takenError(core, place)
  return { place, record }
}

/** The place is random: only an end of all sessions of the owner can have been written there before us. */
async function takenError(core: Core, place: Place): Promise<Error> {
  const read = await core.store.read(place.key, null)
  const stored = read.kind === 'hit' ? decodeStored(read.value, place.key, core) : undefined
  if (stored?.kind === 'tombstone')
    return goneError({ state: 'ended', places: [place], reason: stored.reason, at: stored.at })
  return new Error('A random session id was used before: the source of randomness is broken.')
}
