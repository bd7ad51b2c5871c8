// One tab's (or worker's) copy of the local state, in memory and always current: reads are synchronous,
// writes are visible at once, storage and the other tabs follow. Goes on in memory when storage fails.
import type { Mutation } from '../../protocol/mutation.ts'
import type { Epoch } from '../../protocol/state.ts'
import {
  type LocalState,
  type MirrorDocument,
  type OpenMutation,
  emptyLocalState,
  pendingOf,
} from '../steps/local-state.ts'
import { replaces, withOpen } from '../steps/outbox.ts'
import { type PendingSignOut, pendingSignOut } from '../steps/sign-out.ts'
import { wipeMirror } from '../steps/snapshot.ts'
import { stamps, toOpen } from '../steps/stamp.ts'
import { NewerFormatError } from '../storage/database-connection.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import type { Durability, Journal, Storage, StorageStep } from '../storage/storage.ts'
import { type Channel, type Hint, type Notice, openChannel } from './channel.ts'
import { merge, newer, noticeOf } from './merge.ts'
import { UnconfirmedWrites, broadcastToDiskMilliseconds } from './unconfirmed-writes.ts'

export interface MirrorOptions {
  /** Where the state is kept, until that fails. */
  readonly storage: Storage
  /** The name of the channel that this browser's tabs and worker share. */
  readonly channel: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Where memory mode keeps what it knows for a reload of this tab. */
  readonly journal?: Journal | undefined
}

type ChangeListener = (after: LocalState, before: LocalState) => void
type HintListener = (hint: Hint) => void
/** `next` is the state that begins with the change. `isOutdated`: a newer version of this library owns the storage. */
type DurabilityListener = (
  change: { readonly durability: Durability; readonly isOutdated: boolean },
  next: LocalState,
) => void

export class TabMirror {
  #storage: Storage
  #state = emptyLocalState()
  #checking: ReturnType<typeof setTimeout> | undefined
  readonly #journal: Journal | undefined
  readonly #nextStamp: (state: LocalState) => string
  readonly #channel: Channel
  readonly #unconfirmed = new UnconfirmedWrites()
  readonly #changeListeners = new Set<ChangeListener>()
  readonly #hintListeners: HintListener[] = []
  readonly #durabilityListeners: DurabilityListener[] = []

  constructor({ storage, channel, now, journal }: MirrorOptions) {
    this.#storage = storage
    this.#journal = journal
    this.#nextStamp = stamps(now)
    this.#channel = openChannel(channel, (notice) => this.#receive(notice))
  }

  /** All that this tab knows. A new object after each change. */
  get state(): LocalState {
    return this.#state
  }

  /** What is known of the session. */
  get document(): MirrorDocument {
    return this.#state.mirror
  }

  /** The session that this tab believes in; null without one. */
  get epoch(): Epoch | null {
    return this.#state.mirror.epoch
  }

  /** Who the server says is signed in, or null. */
  get owner(): string | null {
    return this.#state.mirror.owner
  }

  /** All mutations of who is here now that the server has not acknowledged, oldest first. */
  get pending(): readonly Mutation[] {
    return pendingOf(this.#state)
  }

  /** The sign-out that the server has not confirmed; undefined when none is waiting. */
  get pendingSignOut(): PendingSignOut | undefined {
    return pendingSignOut(this.#state.mirror)
  }

  /** `memory` once storage has failed. */
  get durability(): Durability {
    return this.#storage.durability
  }

  /** Reads storage again: at the start, after sleep, and in a worker before every decision. Never rejects. */
  async reload(): Promise<LocalState> {
    try {
      return this.#adopt(newer(await this.#storage.load(), this.#state))
    } catch (error) {
      this.#goOnInMemory(error)
      return this.#adopt(await this.#storage.load())
    }
  }

  /** Makes a write. It is visible in `state` on return. Resolves once it is kept, and says where. Never rejects. */
  async write(mutation: Mutation): Promise<Durability> {
    const state = this.#state
    const added = toOpen(state, mutation, this.#nextStamp(state))
    const gone = state.open.filter((entry) => replaces(added, entry)).map((entry) => entry.stamp)
    this.#unconfirmed.addOwn(added)
    this.#unconfirmed.forget(gone)
    this.#become({ ...state, open: withOpen(state.open, added) })
    this.#post({ added: [added], gone })
    const target = this.#storage
    try {
      await target.write(added, gone)
      if (target !== this.#storage) this.#leaveOnDisk(added)
    } catch (error) {
      this.#goOnInMemory(error)
      await this.#storage.write(added, gone)
    }
    this.#unconfirmed.confirmOwn(added)
    return this.durability
  }

  /**
   * Runs a pure step on the newest state of all tabs, keeps the result and tells the other tabs. Rejects only with what
   * the step throws.
   */
  async transact(step: StorageStep, durability: 'relaxed' | 'strict' = 'relaxed'): Promise<LocalState> {
    let before = this.#state
    const remembering: StorageStep = (current) => {
      before = current
      return step(current)
    }
    try {
      const after = await this.#storage.transact(remembering, durability)
      const notice = noticeOf(before, after)
      this.#unconfirmed.forget(notice.gone)
      this.#post(notice)
      return this.#adopt(after)
    } catch (error) {
      if (this.durability === 'memory') throw error
      this.#goOnInMemory(error)
      return this.#adopt(await this.#storage.transact(remembering, durability))
    }
  }

  /** Tells the other tabs what an answer said about the session. */
  hint({ epoch, revision }: Hint): void {
    this.#channel.post({ hint: { epoch, revision } })
  }

  /** Calls `listener` after each change of `state`. Returns the way to stop. */
  onChange(listener: ChangeListener): () => void {
    this.#changeListeners.add(listener)
    return () => void this.#changeListeners.delete(listener)
  }

  /** Calls `listener` when another tab or the worker says that the server may have something newer. */
  onHint(listener: HintListener): void {
    this.#hintListeners.push(listener)
  }

  /** Calls `listener` when storage has failed, just before `state` changes because of it. */
  onDurability(listener: DurabilityListener): void {
    this.#durabilityListeners.push(listener)
  }

  /** Stops listening, and closes the storage. What was written stays. */
  close(): void {
    clearTimeout(this.#checking)
    this.#channel.close()
    this.#storage.close()
  }

  #become(next: LocalState): LocalState {
    const before = this.#state
    this.#state = next
    if (next !== before) for (const listener of this.#changeListeners) listener(next, before)
    return next
  }

  #adopt(loaded: LocalState): LocalState {
    return this.#become(this.#unconfirmed.onTopOf(loaded))
  }

  #receive(notice: Notice): void {
    const { mirror, hint, left } = notice
    // In memory mode the others' documents are not ours: their outbox would be sent twice.
    if (this.durability === 'disk') {
      this.#unconfirmed.forget(notice.gone)
      const added = this.#unconfirmed.hear(notice.added ?? [])
      if (added.length > 0) this.#checkHeard()
      this.#become(merge(this.#state, { ...notice, added }))
    } else if (mirror !== undefined) this.#hearFromDisk(mirror)
    if (left !== undefined && left === this.epoch) void this.#end(left)
    if (hint !== undefined) this.#pass(hint)
  }

  #pass(hint: Hint): void {
    for (const listener of this.#hintListeners) listener(hint)
  }

  /** A write whose tab never got it to the disk, or that was replaced before we heard of it, must not stay on screen. */
  #checkHeard(): void {
    this.#checking ??= setTimeout(() => {
      this.#checking = undefined
      if (this.#unconfirmed.isAnyOnItsWay) void this.reload().then(() => this.#checkHeard())
    }, broadcastToDiskMilliseconds)
  }

  /** A tab in memory learns from the others that its session is over, or that there is another one. */
  #hearFromDisk(document: MirrorDocument): void {
    const { epoch } = this
    if (epoch === document.epoch) return
    if (epoch !== null && document.ending?.state === 'signed-out') void this.#end(epoch)
    else this.#pass(document)
  }

  async #end(epoch: Epoch): Promise<void> {
    const ending = { state: 'signed-out', reason: 'signed-out' } as const
    await this.transact((state) => (state.mirror.epoch === epoch ? wipeMirror(state, ending) : state))
  }

  #post(notice: Notice): void {
    const { mirror } = notice
    if (this.durability === 'disk') return this.#channel.post(notice)
    if (mirror === undefined) return
    // Documents of memory are nobody else's, but that a session was left is for everybody to know.
    if (mirror.leaving?.kind === 'session') this.#channel.post({ left: mirror.leaving.epoch })
    this.hint(mirror)
  }

  #goOnInMemory(error: unknown): void {
    if (this.durability === 'memory') return
    const isOutdated = error instanceof NewerFormatError
    const fresh = emptyLocalState()
    this.#storage.close()
    // What is on disk stays there for a later start or another tab. Sending it from here as well would apply
    // it twice under two client ids: only a write that failed to reach the disk comes along, when it fails.
    const kept = isOutdated ? fresh : { ...fresh, mirror: this.document }
    this.#unconfirmed.forgetHeard()
    this.#storage = memoryStorage(kept, this.#journal)
    this.#becomeInMemory(this.#unconfirmed.onTopOf(kept), isOutdated)
  }

  /** Storage failed for something else while this write got through: it is on disk, and only there. */
  #leaveOnDisk({ stamp }: OpenMutation): void {
    const open = this.#state.open.filter((entry) => entry.stamp !== stamp)
    this.#becomeInMemory({ ...this.#state, open }, false)
  }

  #becomeInMemory(next: LocalState, isOutdated: boolean): void {
    for (const listener of this.#durabilityListeners) listener({ durability: 'memory', isOutdated }, next)
    this.#become(next)
  }
}
