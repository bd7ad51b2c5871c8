// Giving a session another id, and ending one. The order is what makes it safe: the new item is written first,
// under an id that nobody knows; one compare-and-swap on the old item then decides. When that fails, nobody
// ever sees the new one.
import { SessionError } from '../../protocol/errors.ts'
import { type Core, now, tombstoneSeconds } from '../core/core.ts'
import { type Located, locate, unavailable } from './locate.ts'
import {
  type EndReason,
  type NamedPlace,
  type Place,
  type SessionRecord,
  type Stored,
  decodeStored,
  encodeStored,
} from '../codec/record.ts'
import { retry } from './retry.ts'
import { since } from '../core/watch.ts'

export type Live = Extract<Located, { state: 'live' }>

export interface Relocation {
  readonly to: NamedPlace
  readonly record: SessionRecord
  /** What the old item becomes. */
  readonly leave: Stored
}

export interface Moved {
  readonly place: Place
  readonly record: SessionRecord
}

/** Stores a session at a place that was never used. */
export async function createAt(core: Core, place: Place, record: SessionRecord): Promise<Moved> {
  const value = encodeStored({ kind: 'live', record }, place.key, core.ring)
  const created = await core.store.create(place.key, value, core.times.idleTimeoutSeconds)
  if (created.kind === 'unavailable') throw unavailable(created)
  if (created.kind === 'exists') throw await takenBy(core, place)
  return { place, record }
}

/** The beginning of a session, or of a life of it: a commit of its own. */
export async function createFirst(core: Core, place: Place, record: SessionRecord): Promise<Moved> {
  const started = performance.now()
  const created = await createAt(core, place, record)
  core.watch.tell('commit', { writers: 1, attempts: 1, milliseconds: since(started) })
  return created
}

/** The place is random: only who ends every session of an owner can have been there before us. */
async function takenBy(core: Core, { key }: Place): Promise<Error> {
  const read = await core.store.read(key, null)
  const stored = read.kind === 'hit' ? decodeStored(read.value, key, core) : undefined
  if (stored?.kind === 'tombstone') return new SessionError('ended')
  return new Error('A random session id was used before: the randomness is broken.')
}

/**
 * Moves the session at `from` as `plan` says; `plan` sees the newest record and runs again after a conflict.
 * It gives undefined to leave the session where it is. An end of the session is given back as it is.
 */
export function relocate(
  core: Core,
  from: Place,
  plan: (found: Live) => Relocation | undefined | Promise<Relocation | undefined>,
): Promise<Moved | Exclude<Located, Live>> {
  return retry(async () => {
    const found = await locate(core, from)
    if (found.state !== 'live') return found
    const relocation = await plan(found)
    if (relocation === undefined) return { place: found.place, record: found.record }
    const moved = await createAt(core, relocation.to, relocation.record)
    if (await swap(core, found, relocation.leave)) return moved
    core.watch.tell('conflict', { operation: 'move' })
    // Nobody knows the new place; only its room is given back.
    await core.store.end(moved.place.key, encodeStored(relocation.leave, moved.place.key, core.ring), 1)
    return 'again'
  })
}

/** Of twenty tries each: a second and a half. */
const maxRounds = 3

/**
 * Ends a session wherever it is by now; when it is gone already, makes sure that it stays so. Says whether it
 * was alive.
 */
export async function endSession(
  core: Core,
  from: Place,
  reason: Exclude<EndReason, 'replaced'>,
): Promise<boolean> {
  const started = performance.now()
  let wasLive = false
  const end = (): Promise<undefined> =>
    retry(async () => {
      const found = await locate(core, from)
      if (found.state === 'ended') return undefined
      if (found.state === 'missing') return endAll(core, found.places.slice(-1), reason)
      wasLive = true
      return (await swap(core, found, tombstone(core, reason))) ? undefined : 'again'
    })
  // By compare-and-swap as long as there is hope: what is overwritten unread may be the pointer to where the session has
  // just moved. In the end nobody is left signed in because others write too much.
  for (let round = 1; ; round++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await end()
      break
    } catch (error) {
      if (!(error instanceof SessionError) || error.code !== 'contention') throw error
      // oxlint-disable-next-line no-await-in-loop -- the last thing
      if (round === maxRounds) await endAll(core, (await locate(core, from)).places, reason)
      if (round === maxRounds) break
    }
  }
  if (wasLive && reason !== 'reuse') core.watch.tell('revoke', { reason, milliseconds: since(started) })
  return wasLive
}

/** Whatever is there: it ends. */
export async function endAll(core: Core, places: readonly Place[], reason: EndReason): Promise<undefined> {
  const ends = places.map(async ({ key }) => {
    const value = encodeStored(tombstone(core, reason), key, core.ring)
    const ended = await core.store.end(key, value, tombstoneSeconds(core))
    if (ended.kind === 'unavailable') throw unavailable(ended)
  })
  await Promise.all(ends)
}

export function tombstone(core: Core, reason: EndReason): Stored {
  return { kind: 'tombstone', reason, at: now(core) }
}

async function swap(core: Core, { place, record, token }: Live, leave: Stored): Promise<boolean> {
  const value = encodeStored(leave, place.key, core.ring)
  const leaves = leave.kind === 'tombstone' ? 'ended' : 'moved'
  const ttlSeconds = tombstoneSeconds(core)
  const replaced = await core.store.replace(place.key, value, { token, ttlSeconds, leaves })
  if (replaced.kind === 'unavailable') throw unavailable(replaced)
  // The streams of a session that moved on read it again; those of one that ended find that out.
  if (replaced.kind === 'stored') core.feed.publish(record.epoch)
  return replaced.kind === 'stored'
}
