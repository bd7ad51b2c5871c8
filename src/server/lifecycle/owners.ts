// The sessions of one owner: one store item that lists where they are, so that all can be shown and ended. A
// session is entered before it begins, so none is missed; dead ones are struck off later. Should the store forget
// the list, each session enters itself again with its next cookie, and one that was meant to end finds that out.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import type { Epoch } from '../../protocol/state.ts'
import type { Store } from '../../stores/store.ts'
import { type Core, now } from '../core/core.ts'
import { type Located, locate, unavailable } from './locate.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import { type Live, endSession } from './relocate.ts'
import { retry } from './retry.ts'
import { seal, unseal } from '../codec/seal.ts'
import { createTurns } from './turns.ts'

/** One session, as its owner may see it. */
export interface OwnedSession {
  /** Names it to `revoke`. Says nothing that a cookie could be made from. */
  readonly id: Epoch
  /** What the app called it at `signIn`. */
  readonly label: string | null
  readonly created: Date
  readonly signedIn: Date
  /** To within half of `freshSeconds`: using a session writes nothing. */
  readonly lastUsed: Date
}

interface Entry {
  readonly epoch: Epoch
  readonly key: string
  /** Seconds since 1970. */
  readonly used: number
}

interface OwnerList {
  /** Sessions that were signed in to until then are over, but for those that are listed. */
  readonly endedBefore: number
  readonly sessions: readonly Entry[]
}

export interface Owners {
  /** Before a session begins. @throws SessionError `store-unavailable`, `contention` */
  enter(owner: string, session: { readonly epoch: Epoch; readonly key: string }): Promise<void>
  /** Notes that a session is used. False: it was ended while the store had forgotten the list. */
  keep(place: Place, record: SessionRecord): Promise<boolean>
  list(owner: string): Promise<OwnedSession[]>
  find(owner: string, id: string): Promise<Live | undefined>
  /** Ends one. False: the owner has no such session. */
  end(owner: string, id: string): Promise<boolean>
  /** Ends all but `except`; says how many there were. */
  endAll(owner: string, options: EndAll): Promise<number>
}

export interface EndAll {
  readonly except?: { readonly epoch: string; readonly key?: string } | undefined
  readonly reason: 'everywhere' | 'revoked'
}

const emptyList: OwnerList = { endedBefore: 0, sessions: [] }
/** Sessions whose use was noted a moment ago are not noted again; so many are remembered. */
const maxKept = 10_000

export function createOwners(core: Core): Owners {
  return core.lists === undefined ? noOwners : listedOwners(core, core.lists)
}

const cannotList = (): Promise<never> =>
  Promise.reject(
    new SessionError(
      'unsupported',
      "This store keeps no lists: an owner's sessions cannot be shown or ended.",
    ),
  )

/** Where sessions are in cookies alone nobody knows of them. */
const noOwners: Owners = {
  enter: () => Promise.resolve(),
  keep: () => Promise.resolve(true),
  list: cannotList,
  find: cannotList,
  end: cannotList,
  endAll: cannotList,
}

function listedOwners(core: Core, store: Store): Owners {
  const inTurn = createTurns()
  const kept = new Map<Epoch, number>()
  const keeping = new Map<Epoch, Promise<boolean>>()

  async function read(
    key: string,
  ): Promise<{ readonly list: OwnerList; readonly token: string | undefined }> {
    const found = await store.read(key, null)
    if (found.kind === 'unavailable') throw unavailable(found)
    if (found.kind === 'miss') return { list: emptyList, token: undefined }
    const list = unseal(found.value, { ...core, key, purpose: 'owner-record' })
    return { list: (list as OwnerList | undefined) ?? emptyList, token: found.token } // The MAC says so.
  }

  /** In turn within this process; against others the compare-and-swap decides. */
  function update(
    key: string,
    step: (list: OwnerList) => OwnerList | Promise<OwnerList>,
  ): Promise<undefined> {
    return inTurn(key, () =>
      retry(async () => {
        const { list, token } = await read(key)
        const next = await step(list)
        if (next === list) return undefined
        const value = seal(next, { key, ring: core.ring, purpose: 'owner-record' })
        const ttlSeconds = core.times.absoluteTimeoutSeconds
        const written =
          token === undefined
            ? await store.create(key, value, ttlSeconds)
            : await store.replace(key, value, { token, ttlSeconds })
        if (written.kind === 'unavailable') throw unavailable(written)
        if (written.kind === 'stored') return undefined
        core.watch.tell('conflict', { operation: 'owner' })
        return 'again'
      }),
    )
  }

  /** An owner's lists: one under each secret, the newest first. */
  const keysOf = (owner: string): string[] =>
    core.ring.all.map(({ mac }) => `smo1:${mac['owner-key'](owner)}`)
  const newestOf = (owner: string): string => `smo1:${core.ring.newest.mac['owner-key'](owner)}`

  async function entriesOf(owner: string): Promise<readonly Entry[]> {
    const lists = await Promise.all(keysOf(owner).map(read))
    const entries = lists.flatMap(({ list }) => list.sessions)
    // The same one stands in two lists while secrets change.
    return [...new Map(entries.toReversed().map((entry) => [entry.epoch, entry])).values()]
  }

  async function look(entry: Entry, owner: string): Promise<Live | undefined> {
    const found: Located = await locate(core, { sid: undefined, key: entry.key }, 'look')
    if (found.state !== 'live') return undefined
    const { record } = found
    const isIt = record.epoch === entry.epoch && record.owner === owner && record.expires > now(core)
    return isIt ? found : undefined
  }

  /** The list with a place free: without those whose time is over, then without the dead, then the idlest ends. */
  async function withRoom(list: OwnerList, owner: string): Promise<OwnerList> {
    const { idleTimeoutSeconds, freshSeconds } = core.times
    const since = now(core) - idleTimeoutSeconds - freshSeconds
    const recent = list.sessions.filter(({ used }) => used >= since)
    if (recent.length < limits.ownerSessions) return { ...list, sessions: recent }
    const looks = await Promise.all(recent.map((entry) => look(entry, owner)))
    const live = recent.filter((_, index) => looks[index] !== undefined)
    const [idlest, ...others] = live.toSorted((a, b) => a.used - b.used)
    if (idlest === undefined || live.length < limits.ownerSessions) return { ...list, sessions: live }
    await endSession(core, { sid: undefined, key: idlest.key }, 'revoked')
    return { ...list, sessions: others }
  }

  async function enterAt(list: OwnerList, owner: string, entry: Entry): Promise<OwnerList> {
    const others = { ...list, sessions: list.sessions.filter(({ epoch }) => epoch !== entry.epoch) }
    const room = others.sessions.length < limits.ownerSessions ? others : await withRoom(others, owner)
    return { ...room, sessions: [...room.sessions, entry] }
  }

  async function keep(owner: string, place: Place, { epoch, signedIn }: SessionRecord): Promise<boolean> {
    let isOver = false
    try {
      await update(newestOf(owner), (list) => {
        const isListed = list.sessions.some((entry) => entry.epoch === epoch)
        isOver = !isListed && (signedIn ?? 0) <= list.endedBefore
        return isOver ? list : enterAt(list, owner, { epoch, key: place.key, used: now(core) })
      })
      if (isOver) await endSession(core, place, 'revoked')
    } catch (error) {
      // The session itself was read and lives: the list can wait for the next time.
      if (error instanceof SessionError && !isOver) return true
      throw error
    }
    if (!isOver) note(epoch)
    return !isOver
  }

  function note(epoch: Epoch): void {
    if (kept.size >= maxKept) kept.clear()
    kept.set(epoch, now(core))
  }

  return {
    async enter(owner, { epoch, key }) {
      await update(newestOf(owner), (list) => enterAt(list, owner, { epoch, key, used: now(core) }))
      note(epoch)
    },
    async keep(place, record) {
      const { owner, epoch } = record
      if (owner === null || (kept.get(epoch) ?? 0) > now(core) - core.times.freshSeconds / 4) return true
      // All the requests of a page that opens want a new cookie at once.
      const started = keeping.get(epoch) ?? keep(owner, place, record).finally(() => keeping.delete(epoch))
      keeping.set(epoch, started)
      return started
    },
    async list(owner) {
      const entries = await entriesOf(owner)
      const found = await Promise.all(
        entries.map(async (entry) => ({ entry, live: await look(entry, owner) })),
      )
      return found
        .flatMap(({ entry, live }) => (live === undefined ? [] : [toOwned(entry, live.record)]))
        .toSorted((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime())
    },
    async find(owner, id) {
      const entry = (await entriesOf(owner)).find(({ epoch }) => epoch === id)
      return entry && look(entry, owner)
    },
    async end(owner, id) {
      const entry = (await entriesOf(owner)).find(({ epoch }) => epoch === id)
      return entry !== undefined && endSession(core, { sid: undefined, key: entry.key }, 'revoked')
    },
    async endAll(owner, { except, reason }) {
      let count = 0
      for (const key of keysOf(owner)) {
        // oxlint-disable-next-line no-await-in-loop -- two at most, while secrets change
        await update(key, async (list) => {
          const others = list.sessions.filter(({ epoch }) => epoch !== except?.epoch)
          const ends = await Promise.all(
            others.map((entry) => endSession(core, { sid: undefined, key: entry.key }, reason)),
          )
          count += ends.filter(Boolean).length
          const staying = list.sessions.filter(({ epoch }) => epoch === except?.epoch)
          if (staying.length === 0 && except?.key !== undefined)
            staying.push({ epoch: except.epoch as Epoch, key: except.key, used: now(core) })
          return { endedBefore: Math.max(list.endedBefore, now(core)), sessions: staying }
        })
      }
      return count
    },
  }
}

function toOwned({ used }: Entry, record: SessionRecord): OwnedSession {
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
