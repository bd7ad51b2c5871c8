// Entering a session in its owner's list, and keeping it there. A session is entered before it begins, so that none is
// missed; entries of dead sessions are struck off when room is needed. Should the store forget the list, each session
// enters itself again with its next cookie, and one that was meant to end finds that out then.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { endSession } from './relocate.ts'
import { type LocatedLive, locate } from './locate.ts'
import type { OwnerEntry, OwnerList, OwnerLists } from './owner-lists.ts'

/** Sessions of which it is remembered when their use was last noted. More than this, and all are forgotten. */
const maxNoted = 10_000

export class OwnerEntries {
  readonly #core: Core
  readonly #lists: OwnerLists
  /** When the use of a session was last noted by this process, in seconds since 1970. */
  readonly #noted = new Map<Epoch, number>()
  readonly #running = new Map<Epoch, Promise<boolean>>()

  constructor(core: Core, lists: OwnerLists) {
    this.#core = core
    this.#lists = lists
  }

  /** Before a session begins. @throws SessionError `store-unavailable`, `contention` */
  async enter(owner: string, { epoch, key }: { readonly epoch: Epoch; readonly key: string }): Promise<void> {
    const entry = { epoch, key, used: now(this.#core) }
    await this.#lists.updateNewest(owner, (list) => withEntry(this.#core, list, { owner, entry }))
    this.#note(epoch)
  }

  /**
   * Notes that a session is used.
   * @returns false when it was ended while the store had forgotten the list; it is ended now
   */
  async keep(place: Place, record: SessionRecord): Promise<boolean> {
    const { owner, epoch } = record
    const { freshSeconds } = this.#core.times
    if (owner === null || (this.#noted.get(epoch) ?? 0) > now(this.#core) - freshSeconds / 4) return true
    // All the requests of a page that opens want a new cookie at once.
    const started =
      this.#running.get(epoch) ?? this.#keep(owner, place, record).finally(() => this.#running.delete(epoch))
    this.#running.set(epoch, started)
    return started
  }

  async #keep(owner: string, place: Place, { epoch, signedIn }: SessionRecord): Promise<boolean> {
    let isOver = false
    try {
      const everybodyBefore = await this.#lists.everybodyBefore()
      await this.#lists.updateNewest(owner, (list) => {
        const isListed = list.sessions.some((entry) => entry.epoch === epoch)
        const endedBefore = isListed ? everybodyBefore : Math.max(list.endedBefore, everybodyBefore)
        isOver = (signedIn ?? 0) <= endedBefore
        const entry = { epoch, key: place.key, used: now(this.#core) }
        return isOver ? list : withEntry(this.#core, list, { owner, entry })
      })
      if (isOver) await endSession(this.#core, place, 'revoked')
    } catch (error) {
      // The session itself was read and lives: the list can wait for the next time.
      if (error instanceof SessionError && !isOver) return true
      throw error
    }
    if (!isOver) this.#note(epoch)
    return !isOver
  }

  /**
   * Looks whether a mark has ended a session that is followed, and not refreshed. Notes no use.
   * @returns false when it has; the session is ended now
   */
  async check(place: Place, { owner, epoch, signedIn }: SessionRecord): Promise<boolean> {
    if (owner === null || (signedIn ?? 0) > (await this.#endedBefore(owner, epoch))) return true
    await endSession(this.#core, place, 'revoked')
    return false
  }

  /** 0 when the lists cannot be read: the session itself lives, and the marks can wait for the next time. */
  async #endedBefore(owner: string, epoch: Epoch): Promise<number> {
    try {
      return await this.#lists.endedBefore(owner, epoch)
    } catch (error) {
      if (error instanceof SessionError) return 0
      throw error
    }
  }

  #note(epoch: Epoch): void {
    if (this.#noted.size >= maxNoted) this.#noted.clear()
    this.#noted.set(epoch, now(this.#core))
  }
}

/** The live session of an entry, if it is still that session. Looking does not lengthen it. */
export async function lookAt(
  core: Core,
  owner: string,
  { key, epoch }: OwnerEntry,
): Promise<LocatedLive | undefined> {
  const found = await locate(core, { sid: undefined, key }, 'look')
  if (found.state !== 'live') return undefined
  const { record } = found
  const isIt = record.epoch === epoch && record.owner === owner && record.expires > now(core)
  return isIt ? found : undefined
}

interface OwnedEntry {
  readonly owner: string
  readonly entry: OwnerEntry
}

async function withEntry(core: Core, list: OwnerList, { owner, entry }: OwnedEntry): Promise<OwnerList> {
  const others = { ...list, sessions: list.sessions.filter(({ epoch }) => epoch !== entry.epoch) }
  const room = others.sessions.length < core.maxSessions ? others : await withRoom(core, others, owner)
  return { ...room, sessions: [...room.sessions, entry] }
}

/** The list with a place free: without those whose time is over, then without the dead; then the idlest are ended. */
async function withRoom(core: Core, list: OwnerList, owner: string): Promise<OwnerList> {
  const { idleTimeoutSeconds, freshSeconds } = core.times
  const oldest = now(core) - idleTimeoutSeconds - freshSeconds
  const recent = list.sessions.filter(({ used }) => used >= oldest)
  if (recent.length < core.maxSessions) return { ...list, sessions: recent }
  const looks = await Promise.all(recent.map((entry) => lookAt(core, owner, entry)))
  // A session is entered before it begins: what is not there yet must not be struck off, or `revokeAll` misses it.
  const begun = now(core) - limits.beginSeconds
  const live = recent.filter(({ used }, index) => looks[index] !== undefined || used > begun)
  const surplus = live.length - core.maxSessions + 1
  if (surplus <= 0) return { ...list, sessions: live }
  const byUse = live.toSorted((a, b) => a.used - b.used)
  await Promise.all(
    byUse.slice(0, surplus).map(({ key }) => endSession(core, { sid: undefined, key }, 'revoked')),
  )
  return { ...list, sessions: byUse.slice(surplus) }
}
