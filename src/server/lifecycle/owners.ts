// The sessions of one owner: shows them, and ends one or all. Which those are stands in the owner's list.
import { SessionError } from '../../protocol/errors.ts'
import { isEpoch } from '../../protocol/state.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { Place, ReadRecord, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import { endSession } from './relocate.ts'
import { OwnerEntries, lookAt } from './owner-entries.ts'
import { type OwnerEntry, type OwnerList, OwnerLists } from './owner-lists.ts'

/** One session, as its owner may see it. */
export interface OwnedSession {
  /** Names it to `revoke`. Nothing that a cookie could be made from. */
  readonly id: Epoch
  /** What the app called it at `signIn`. */
  readonly label: string | null
  /** When the first of its lives began. */
  readonly created: Date
  /** When the owner signed in, or did so again. */
  readonly signedIn: Date
  /** Exact to half of `freshSeconds`, because using a session writes nothing. */
  readonly lastUsed: Date
}

export interface Owners {
  /** Enters a session in the list before it begins. @throws SessionError `store-unavailable`, `contention` */
  enter(owner: string, session: { readonly epoch: Epoch; readonly key: string }): Promise<void>
  /** Notes that a session is used. False: it was ended while the store had forgotten the list. */
  keep(place: Place, record: SessionRecord): Promise<boolean>
  /**
   * Whether no mark has ended a session that is only followed; else it is ended now. Notes no use.
   * @throws SessionError `store-unavailable`
   */
  check(place: Place, record: SessionRecord): Promise<boolean>
  /** The live sessions, the last used one first. @throws SessionError `store-unavailable`, `unsupported` */
  list(owner: string): Promise<OwnedSession[]>
  /** The session of that id, if it lives. @throws SessionError `store-unavailable`, `unsupported` */
  find(owner: string, id: string): Promise<ReadRecord | undefined>
  /** Ends one. False: no live session of this owner has that id. @throws SessionError `store-unavailable`, `unsupported` */
  end(owner: string, id: string): Promise<boolean>
  /**
   * Ends all but one, and says how many were alive.
   * @throws SessionError `store-unavailable`, `contention`: some may have ended; `unsupported`
   */
  endAll(owner: string, options: EndAllOptions): Promise<EndedAll>
  /** Leaves a mark that ends every session at its next refresh. @throws SessionError `store-unavailable`, `unsupported` */
  endEverybody(): Promise<void>
}

/** What `revokeAll` has done. */
export interface EndedAll {
  /** How many sessions were alive, and have ended. */
  readonly ended: number
  /**
   * Whether these were all. False where the lists are in a store that may forget them, such as a memcached without `-M`: a
   * session that it has forgotten ends when it next refreshes its cookie, within `freshSeconds` of its use.
   */
  readonly isComplete: boolean
}

export interface EndAllOptions {
  /** The session that stays. With its key it is entered again, should the list have forgotten it. @default none */
  readonly except?: { readonly epoch: string; readonly key?: string } | undefined
  /** What the tombstones say. */
  readonly reason: 'everywhere' | 'revoked'
}

export function createOwners(core: Core): Owners {
  const store = core.lists
  if (store === undefined) return unlistedOwners
  const lists = new OwnerLists(core, store)
  const entries = new OwnerEntries(core, lists)

  async function entryOf(owner: string, id: string): Promise<OwnerEntry | undefined> {
    return (await lists.entriesOf(owner)).find(({ epoch }) => epoch === id)
  }

  return {
    enter: (owner, session) => entries.enter(owner, session),
    keep: (place, record) => entries.keep(place, record),
    check: (place, record) => entries.check(place, record),
    async list(owner) {
      const found = (await lists.entriesOf(owner)).map(async (entry) => {
        const live = await lookAt(core, owner, entry)
        return live === undefined ? [] : [toOwned(entry, live.record)]
      })
      const owned = (await Promise.all(found)).flat()
      return owned.toSorted((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime())
    },
    async find(owner, id) {
      const entry = await entryOf(owner, id)
      return entry && lookAt(core, owner, entry)
    },
    async end(owner, id) {
      const entry = await entryOf(owner, id)
      return entry !== undefined && endSession(core, placeOf(entry), 'revoked')
    },
    async endAll(owner, options) {
      let ended = 0
      await lists.updateAll(owner, async (list) => {
        ended += await endListed(core, list, options)
        return { endedBefore: Math.max(list.endedBefore, now(core)), sessions: staying(core, list, options) }
      })
      return { ended, isComplete: store.guarantees.durability !== 'volatile' }
    },
    endEverybody: () => lists.endEverybody(now(core)),
  }
}

async function endListed(core: Core, list: OwnerList, { except, reason }: EndAllOptions): Promise<number> {
  const others = list.sessions.filter(({ epoch }) => epoch !== except?.epoch)
  const ends = await Promise.all(others.map((entry) => endSession(core, placeOf(entry), reason)))
  return ends.filter(Boolean).length
}

function staying(core: Core, list: OwnerList, { except }: EndAllOptions): readonly OwnerEntry[] {
  const listed = list.sessions.filter(({ epoch }) => epoch === except?.epoch)
  if (listed.length > 0 || except?.key === undefined || !isEpoch(except.epoch)) return listed
  return [{ epoch: except.epoch, key: except.key, used: now(core) }]
}

/** Where sessions are in cookies alone nobody knows of them. */
const unlistedOwners: Owners = {
  enter: () => Promise.resolve(),
  keep: () => Promise.resolve(true),
  check: () => Promise.resolve(true),
  list: () => Promise.reject(unlisted()),
  find: () => Promise.reject(unlisted()),
  end: () => Promise.reject(unlisted()),
  endAll: () => Promise.reject(unlisted()),
  endEverybody: () => Promise.reject(unlisted()),
}

function unlisted(): SessionError {
  return new SessionError(
    'unsupported',
    "This store keeps sessions in cookies alone, so an owner's sessions cannot be listed or ended. Use spillStore, or a store on the server.",
  )
}

/** Found by a list: without an id, so it can be read and ended, but gets no cookie. */
function placeOf({ key }: OwnerEntry): Place {
  return { sid: undefined, key }
}

function toOwned({ used }: OwnerEntry, record: SessionRecord): OwnedSession {
  return {
    id: record.epoch,
    label: record.label,
    created: toDate(record.created),
    signedIn: toDate(record.signedIn ?? record.created),
    lastUsed: toDate(used),
  }
}

function toDate(seconds: number): Date {
  return new Date(seconds * 1000)
}
