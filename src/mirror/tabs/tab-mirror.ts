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
import { clearOutbox, wipeMirror } from '../steps/snapshot.ts'
import { stamps, toOpen } from '../steps/stamp.ts'
import { type DiskMark, FallbackStorage, type MergeStep } from '../storage/fallback-storage.ts'
import type { Durability, Journal, Storage, StorageStep } from '../storage/storage.ts'
import { AppCalls } from './app-calls.ts'
import { type Channel, type Hint, type Notice, openChannel } from './channel.ts'
import { merge, newer, noticeOf } from './merge.ts'
import { UnconfirmedWrites, broadcastToDiskMilliseconds } from './unconfirmed-writes.ts'
import { UntoldWrites } from './untold-writes.ts'

export interface MirrorOptions {
  /** Where the state is kept, until that fails. */
  readonly storage: Storage
  /** The name of the channel that this browser's tabs and worker share. */
  readonly channel: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Where memory mode keeps what it knows for a reload of this tab. */
  readonly journal?: Journal | undefined
  /** What is remembered outside of the disk, while that does not hear of a session's end. */
  readonly mark?: DiskMark | undefined
  /** For a page that is only prerendered: resolves when it is opened. Its writes are neither kept nor told to anybody before. */
  readonly opened?: Promise<void> | undefined
}

type ChangeListener = (after: LocalState, before: LocalState) => void
type HintListener = (hint: Hint) => void
/** `next` is the state that begins with the change. `isOutdated`: a newer version of this library owns the storage. */
type DurabilityListener = (
  change: { readonly durability: Durability; readonly isOutdated: boolean },
  next: LocalState,
) => void

export class TabMirror {
  /** How the app hears of what changes here. */
  readonly calls: AppCalls = new AppCalls()
  readonly #storage: FallbackStorage
  #state = emptyLocalState()
  #checking: ReturnType<typeof setTimeout> | undefined
  #opened: Promise<void> | undefined
  #isClosed = false
  readonly #nextStamp: (state: LocalState) => string
  readonly #channel: Channel
  readonly #unconfirmed = new UnconfirmedWrites()
  readonly #untold = new UntoldWrites((news) => this.#post(news))
  readonly #changeListeners = new Set<ChangeListener>()
  readonly #hintListeners: HintListener[] = []
  readonly #durabilityListeners: DurabilityListener[] = []

  constructor({ storage, channel, now, journal, mark, opened }: MirrorOptions) {
    this.#opened = opened
    // Later writes must not wait for anything: a page that closes would lose them.
    void opened?.then(() => (this.#opened = undefined))
    this.#storage = new FallbackStorage({ disk: storage, journal, mark })
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

  /** `memory` while storage fails. */
  get durability(): Durability {
    return this.#storage.durability
  }

  /** Reads storage again: at the start, after sleep, and in a worker before every decision. Never rejects. */
  async reload(isQuiet = false): Promise<LocalState> {
    const { result, hasLostDisk } = await this.#untilDone(() => this.#storage.load())
    if (hasLostDisk) return this.reload(isQuiet)
    return this.#adopt(this.durability === 'disk' ? newer(result, this.#state) : result, isQuiet)
  }

  /** Makes a write. It is visible in `state` on return. Resolves once it is kept, and says where. Never rejects. */
  async write(mutation: Mutation): Promise<Durability> {
    const state = this.#state
    const added = toOpen(state, mutation, this.#nextStamp(state))
    const gone = state.open.filter((entry) => replaces(added, entry)).map((entry) => entry.stamp)
    this.#unconfirmed.addOwn(added)
    this.#unconfirmed.forget(gone)
    this.#become({ ...state, open: withOpen(state.open, added) })
    if (this.#opened !== undefined) await this.#opened
    this.#untold.add(added, gone)
    const { hasLostDisk } = await this.#untilDone(() => this.#storage.write(added, gone))
    if (hasLostDisk) this.#leaveOnDisk(added)
    this.#unconfirmed.confirmOwn(added)
    return this.durability
  }

  /** Whether memory has taken over from a disk that may come back. */
  get isDiskWaiting(): boolean {
    return this.#storage.isWaiting && !this.#isClosed
  }

  /** What the disk has, should it answer. Rejects as long as it does not. */
  probeDisk(): Promise<LocalState> {
    return this.#storage.probe()
  }

  /** Deletes all that is on the disk. False when not even that can be done. */
  clearDisk(): Promise<boolean> {
    return this.#storage.clearDisk()
  }

  /**
   * Gives the disk what memory has, and goes on with it. `step` is given both, and what was made in
   * memory. False when the disk, or `step`, would not have it now.
   */
  async takeDiskBack(step: MergeStep): Promise<boolean> {
    if (!this.isDiskWaiting) return false
    let before = this.#state
    const after = await this.#storage.takeDiskBack((disk, memory, made) => {
      before = disk
      return step(disk, memory, made)
    })
    if (after === undefined) return false
    this.#post(noticeOf(before, after))
    for (const listener of this.#durabilityListeners)
      listener({ durability: 'disk', isOutdated: false }, after)
    this.#adopt(after)
    return true
  }

  /**
   * Runs a pure step on the newest state of all tabs, keeps the result and tells the other tabs. Rejects only with what
   * the step throws. `isQuiet`: the app hears of it when `calls` are released, or with the next change.
   */
  async transact(
    step: StorageStep,
    durability: 'relaxed' | 'strict' = 'relaxed',
    isQuiet = false,
  ): Promise<LocalState> {
    let before = this.#state
    let failure: { readonly error: unknown } | undefined
    const remembering: StorageStep = (current) => {
      before = current
      try {
        return step(current)
      } catch (error) {
        failure = { error }
        throw error
      }
    }
    const { result, hasLostDisk } = await this.#untilDone(
      () => this.#storage.transact(remembering, durability),
      (error) => failure?.error === error,
    )
    if (hasLostDisk) return this.transact(step, durability, isQuiet)
    const notice = noticeOf(before, result)
    this.#unconfirmed.forget(notice.gone)
    this.#post(notice)
    return this.#adopt(result, isQuiet)
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

  /** Calls `listener` when storage has failed or is back, just before `state` changes because of it. */
  onDurability(listener: DurabilityListener): void {
    this.#durabilityListeners.push(listener)
  }

  /** Stops listening, and closes the storage. What was written stays. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#checking)
    this.#untold.flush()
    this.#channel.close()
    this.#storage.close()
  }

  /**
   * What `work` gives. When the disk fails at it memory takes over, and it is done there; each time anew, because a disk that was taken
   * back may fail again. `hasLostDisk`: the disk has still done it, and memory, which has taken over meanwhile, has not heard of it.
   * @throws what `isItsOwn` says is no failure of storage
   */
  async #untilDone<T>(
    work: () => Promise<T>,
    isItsOwn: (error: unknown) => boolean = () => false,
  ): Promise<{ readonly result: T; readonly hasLostDisk: boolean }> {
    for (;;) {
      const where = this.durability
      try {
        // oxlint-disable-next-line no-await-in-loop -- only when one try has failed is there another, in another storage
        const result = await work()
        return { result, hasLostDisk: where === 'disk' && this.durability === 'memory' }
      } catch (error) {
        if (isItsOwn(error)) throw error
        this.#goOnInMemory(error)
      }
    }
  }

  #become(next: LocalState, isQuiet = false): LocalState {
    const before = this.#state
    this.#state = next
    const tell = (): void => {
      for (const listener of this.#changeListeners) listener(next, before)
    }
    if (next === before) return next
    if (isQuiet) this.calls.quietly(tell)
    else tell()
    return next
  }

  #adopt(loaded: LocalState, isQuiet = false): LocalState {
    return this.#become(this.#unconfirmed.onTopOf(loaded), isQuiet)
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
    if (this.#isClosed) return
    this.#checking ??= setTimeout(() => {
      this.#checking = undefined
      if (this.#unconfirmed.isAnyOnItsWay) void this.reload().then(() => this.#checkHeard())
    }, broadcastToDiskMilliseconds)
  }

  /** A tab in memory learns from the others that its session is over, or that there is another one. */
  #hearFromDisk(document: MirrorDocument): void {
    const { epoch } = this
    const { ending } = document
    if (epoch === document.epoch) return
    // Who signs out gives up what is unsent. Any other end is asked for, so that this tab keeps it for its owner.
    const isSignedOut = ending?.state === 'signed-out' && ending.reason === 'signed-out'
    if (epoch !== null && isSignedOut) void this.#end(epoch)
    else this.#pass(document)
  }

  async #end(epoch: Epoch): Promise<void> {
    const ending = { state: 'signed-out', reason: 'signed-out' } as const
    // What is unsent is given up with it, sealed or not, as where it was signed out: nobody may send it for who comes next.
    await this.transact((state) =>
      state.mirror.epoch === epoch ? { ...wipeMirror(clearOutbox(state), ending), open: [] } : state,
    )
  }

  #post(notice: Notice): void {
    this.#untold.flush()
    const { mirror } = notice
    if (this.durability === 'disk') return this.#channel.post(notice)
    if (mirror === undefined) return
    // Documents of memory are nobody else's, but that a session was left is for everybody to know.
    if (mirror.leaving?.kind === 'session') this.#channel.post({ left: mirror.leaving.epoch })
    this.hint(mirror)
  }

  #goOnInMemory(error: unknown): void {
    if (this.durability === 'memory') return
    const { kept, isOutdated } = this.#storage.goOnInMemory(error, this.#state)
    this.#unconfirmed.forgetHeard()
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
