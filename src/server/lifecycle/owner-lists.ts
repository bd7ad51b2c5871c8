// The list of an owner's sessions as the store keeps it: one item under a key that only this server can derive. Owns how
// it is read, verified and written back. Knows nothing of what the entries mean.
import type { Epoch } from '../../protocol/state.ts'
import { type Queue, createQueue } from '../../stores/queue.ts'
import type { Store } from '../../stores/store.ts'
import { openItem, sealItem } from '../codec/sealed-item.ts'
import type { Core } from '../core/core.ts'
import { retry } from '../changes/retry.ts'
import { unavailable } from './locate.ts'

/** One session in the list. */
export interface OwnerEntry {
  readonly epoch: Epoch
  /** The store key of the place where the session began, or was last seen. */
  readonly key: string
  /** When its use was last noted, in seconds since 1970. */
  readonly used: number
}

export interface OwnerList {
  /** Sessions that were signed in to until then are over, but for those that are listed. Seconds since 1970. */
  readonly endedBefore: number
  readonly sessions: readonly OwnerEntry[]
}

/** Gives the list itself to leave it as it is. May run several times. */
export type OwnerListStep = (list: OwnerList) => OwnerList | Promise<OwnerList>

/** The name of the list that stands for all owners: no owner has it. */
const everybody = ''

const emptyList: OwnerList = { endedBefore: 0, sessions: [] }

/** The lists of all owners. While secrets change an owner has one under each secret. */
export class OwnerLists {
  readonly #core: Core
  readonly #store: Store
  /** In turn within this process; against other processes the compare-and-swap decides. */
  readonly #inTurn: Queue = createQueue()

  constructor(core: Core, store: Store) {
    this.#core = core
    this.#store = store
  }

  /** The entries of all lists of an owner, each session once. @throws SessionError `store-unavailable` */
  async entriesOf(owner: string): Promise<readonly OwnerEntry[]> {
    const entries = (await this.#listsOf(owner)).flatMap(({ sessions }) => sessions)
    // The entry of the newest list counts, and that list comes first.
    return [...new Map(entries.toReversed().map((entry) => [entry.epoch, entry])).values()]
  }

  /** Until when `endEverybody` has ended everybody, in seconds since 1970; 0: never. @throws SessionError `store-unavailable` */
  async everybodyBefore(): Promise<number> {
    return latestMark(await this.#listsOf(everybody))
  }

  /** Until when marks have ended a session, in seconds since 1970; 0: never. @throws SessionError `store-unavailable` */
  async endedBefore(owner: string, session: Epoch): Promise<number> {
    const [everybodyBefore, lists] = await Promise.all([this.everybodyBefore(), this.#listsOf(owner)])
    const isListed = lists.some(({ sessions }) => sessions.some(({ epoch }) => epoch === session))
    return isListed ? everybodyBefore : Math.max(latestMark(lists), everybodyBefore)
  }

  /** From now on every session that was signed in to until `time` is over. @throws SessionError `store-unavailable`, `contention` */
  async endEverybody(time: number): Promise<void> {
    await this.updateNewest(everybody, (list) => ({ ...list, endedBefore: Math.max(list.endedBefore, time) }))
  }

  /** Changes the list under the newest secret. @throws SessionError `store-unavailable`, `contention` */
  updateNewest(owner: string, step: OwnerListStep): Promise<undefined> {
    return this.#update(`smo1:${this.#core.ring.newest.mac['owner-key'](owner)}`, step)
  }

  /** Changes all lists of an owner, one after another. @throws SessionError `store-unavailable`, `contention` */
  async updateAll(owner: string, step: OwnerListStep): Promise<void> {
    for (const key of this.#keysOf(owner)) {
      // oxlint-disable-next-line no-await-in-loop -- two at most, while secrets change
      await this.#update(key, step)
    }
  }

  /** That under the newest secret first. */
  async #listsOf(owner: string): Promise<readonly OwnerList[]> {
    const read = await Promise.all(this.#keysOf(owner).map((key) => this.#read(key)))
    return read.map(({ list }) => list)
  }

  /** The newest first. */
  #keysOf(owner: string): string[] {
    return this.#core.ring.all.map(({ mac }) => `smo1:${mac['owner-key'](owner)}`)
  }

  async #read(key: string): Promise<{ readonly list: OwnerList; readonly token: string | undefined }> {
    const found = await this.#store.read(key, null)
    if (found.kind === 'unavailable') throw unavailable(found)
    if (found.kind === 'miss') return { list: emptyList, token: undefined }
    const list = openItem(found.value, { ...this.#core, key, purpose: 'owner-record' })
    return { list: (list as OwnerList | undefined) ?? emptyList, token: found.token } // The MAC says that it is one.
  }

  #update(key: string, step: OwnerListStep): Promise<undefined> {
    return this.#inTurn(key, () =>
      retry(async () => {
        const { list, token } = await this.#read(key)
        const next = await step(list)
        if (next === list || (await this.#write(key, next, token))) return undefined
        this.#core.watch.tell('conflict', { operation: 'owner' })
        return 'again'
      }),
    )
  }

  /** Whether it was written: not when another process was quicker. */
  async #write(key: string, list: OwnerList, token: string | undefined): Promise<boolean> {
    const value = sealItem(list, { key, ring: this.#core.ring, purpose: 'owner-record' })
    const ttlSeconds = this.#core.times.absoluteTimeoutSeconds
    const written =
      token === undefined
        ? await this.#store.create(key, value, ttlSeconds)
        : await this.#store.replace(key, value, { token, ttlSeconds })
    if (written.kind === 'unavailable') throw unavailable(written)
    return written.kind === 'stored'
  }
}

function latestMark(lists: readonly OwnerList[]): number {
  return Math.max(0, ...lists.map(({ endedBefore }) => endedBefore))
}
