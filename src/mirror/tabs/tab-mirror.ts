// One tab's (or worker's) copy of the local state, in memory and always current: reads are synchronous,
// writes are visible at once, storage and the other tabs follow. Goes on in memory when storage fails.
import type { Mutation } from '../../protocol/mutation.ts'
import type { Epoch } from '../../protocol/state.ts'
import { type Hint, type Notice, openChannel } from './channel.ts'
import { NewerFormatError } from '../storage/database-connection.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import {
  type LocalState,
  type MirrorDocument,
  type OpenMutation,
  emptyLocalState,
  pendingOf,
} from '../steps/local-state.ts'
import { noticeOf, isKnown, merge, newer } from './merge.ts'
import { replaces, withOpen } from '../steps/outbox.ts'
import { type PendingSignOut, pendingSignOut } from '../steps/sign-out.ts'
import { wipeMirror } from '../steps/snapshot.ts'
import type { Durability, Journal, StorageStep, Storage } from '../storage/storage.ts'
import { stamps, toOpen } from '../steps/stamp.ts'

export interface MirrorOptions {
  readonly storage: Storage
  readonly channel: string
  readonly now: () => number
  /** For memory mode. */
  readonly journal?: Journal | undefined
}

export interface TabMirror {
  readonly state: LocalState
  /** What is known of the session: `state.mirror`. */
  readonly document: MirrorDocument
  /** The session that this tab believes in; null without one. */
  readonly epoch: Epoch | null
  /** Who the server says is signed in, or null. */
  readonly owner: string | null
  /** All mutations of who is here now that the server has not acknowledged, oldest first. */
  readonly pending: readonly Mutation[]
  /** The sign-out that the server has not confirmed; undefined when none is waiting. */
  readonly pendingSignOut: PendingSignOut | undefined
  readonly durability: Durability
  /** Reads storage again: at start, after sleep, and in a worker before every decision. */
  reload(): Promise<LocalState>
  /** Visible in `state` on return; resolves once it is kept, and says where. Never rejects. */
  write(mutation: Mutation): Promise<Durability>
  /** Runs a pure step on the newest state of all tabs, keeps it and tells the other tabs. Never rejects. */
  transact(step: StorageStep, durability?: 'relaxed' | 'strict'): Promise<LocalState>
  /** Tells the other tabs what an answer said about the session. */
  hint(hint: Hint): void
  /** Returns the way to stop. */
  onChange(listener: (after: LocalState, before: LocalState) => void): () => void
  onHint(listener: (hint: Hint) => void): void
  onDurability(listener: DurabilityListener): void
  close(): void
}

/** Milliseconds that another tab's write takes at most from its broadcast to the disk. */
const onItsWay = 2000

/** `next` is the state that begins with it. */
type DurabilityListener = (
  change: { readonly durability: Durability; readonly isOutdated: boolean },
  next: LocalState,
) => void

export function createMirror(options: MirrorOptions): TabMirror {
  let { storage } = options
  let state = emptyLocalState()
  /** Writes of this tab that storage has not confirmed: they stay visible whatever else is loaded. */
  const unsaved = new Map<string, OpenMutation>()
  /**
   * Writes that other tabs told of and storage has not shown yet: a read that began before them must not hide them.
   * Null: it is gone by now, and somebody may still tell of it late.
   */
  const heard = new Map<string, { readonly entry: OpenMutation | null; readonly until: number }>()
  const changeListeners = new Set<(after: LocalState, before: LocalState) => void>()
  const hintListeners: ((hint: Hint) => void)[] = []
  const durabilityListeners: DurabilityListener[] = []
  let checking: ReturnType<typeof setTimeout> | undefined
  const nextStamp = stamps(options.now)
  const channel = openChannel(options.channel, receive)

  function become(next: LocalState): LocalState {
    const before = state
    state = next
    if (next !== before) for (const listener of changeListeners) listener(next, before)
    return next
  }

  function receive(notice: Notice): void {
    const { mirror, hint, left, gone = [] } = notice
    // In memory mode the others' documents are not ours: their outbox would be sent twice.
    if (storage.durability === 'disk') {
      forget(gone)
      const added = notice.added?.filter(({ stamp }) => heard.get(stamp)?.entry !== null) ?? []
      for (const entry of added) heard.set(entry.stamp, { entry, until: performance.now() + onItsWay })
      if (added.length > 0) checkHeard()
      become(merge(state, { ...notice, added }))
    } else if (mirror !== undefined) hearFromDisk(mirror)
    if (left !== undefined && left === state.mirror.epoch) void end(left)
    if (hint !== undefined) for (const listener of hintListeners) listener(hint)
  }

  function forget(gone: readonly string[] = []): void {
    for (const stamp of gone) heard.set(stamp, { entry: null, until: performance.now() + onItsWay })
  }

  /** A write whose tab never got it to the disk, or that was replaced before we heard of it, must not stay on screen. */
  function checkHeard(): void {
    checking ??= setTimeout(() => {
      checking = undefined
      if ([...heard.values()].some(({ entry }) => entry)) void mirror.reload().then(checkHeard)
    }, onItsWay)
  }

  /** A tab in memory learns from the others that its session is over, or that there is another one. */
  function hearFromDisk(document: MirrorDocument): void {
    const { epoch } = state.mirror
    if (epoch === document.epoch) return
    if (epoch !== null && document.ending?.state === 'signed-out') void end(epoch)
    else for (const listener of hintListeners) listener(document)
  }

  async function end(epoch: Epoch): Promise<void> {
    const how = { state: 'signed-out', reason: 'signed-out' } as const
    await transact((current) => (current.mirror.epoch === epoch ? wipeMirror(current, how) : current))
  }

  /** What storage says, with the writes on top that it has not got yet: this tab's own, and those it heard of. */
  function withUnsaved(loaded: LocalState): LocalState {
    let { open } = loaded
    for (const [stamp, { entry, until }] of heard) {
      // Storage has it now; or its tab never got it there.
      if (performance.now() > until || (entry && isKnown(loaded, entry.mutation.id))) heard.delete(stamp)
      else if (entry) open = withOpen(open, entry)
    }
    for (const entry of unsaved.values()) {
      if (!isKnown(loaded, entry.mutation.id)) open = withOpen(open, entry)
    }
    return { ...loaded, open }
  }

  const adopt = (loaded: LocalState): LocalState => become(withUnsaved(loaded))

  function post(notice: Notice): void {
    const { mirror } = notice
    if (storage.durability === 'disk') return channel.post(notice)
    if (mirror === undefined) return
    // Documents of memory are nobody else's, but that a session was left is for everybody to know.
    if (mirror.leaving?.kind === 'session') channel.post({ left: mirror.leaving.epoch })
    postHint(mirror)
  }

  function postHint({ epoch, revision }: Hint): void {
    channel.post({ hint: { epoch, revision } })
  }

  function goOnInMemory(error: unknown): void {
    if (storage.durability === 'memory') return
    const { mirror } = state
    const fresh = emptyLocalState()
    storage.close()
    // What is on disk stays there for a later start or another tab. Sending it from here as well would apply
    // it twice under two client ids: only a write that failed to reach the disk comes along, when it fails.
    const kept = error instanceof NewerFormatError ? fresh : { ...fresh, mirror }
    heard.clear()
    storage = memoryStorage(kept, options.journal)
    const next = withUnsaved(kept)
    const isOutdated = error instanceof NewerFormatError
    for (const listener of durabilityListeners) listener({ durability: 'memory', isOutdated }, next)
    become(next)
  }

  /** Storage failed for something else while this write got through: it is on disk, and only there. */
  function leaveOnDisk(kept: OpenMutation): void {
    const next = { ...state, open: state.open.filter((entry) => entry.stamp !== kept.stamp) }
    for (const listener of durabilityListeners) listener({ durability: 'memory', isOutdated: false }, next)
    become(next)
  }

  async function transact(
    step: StorageStep,
    durability: 'relaxed' | 'strict' = 'relaxed',
  ): Promise<LocalState> {
    let before = state
    const remembering: StorageStep = (current) => {
      before = current
      return step(current)
    }
    try {
      const after = await storage.transact(remembering, durability)
      const notice = noticeOf(before, after)
      forget(notice.gone)
      post(notice)
      return adopt(after)
    } catch (error) {
      if (storage.durability === 'memory') throw error
      goOnInMemory(error)
      return adopt(await storage.transact(remembering, durability))
    }
  }

  const mirror: TabMirror = {
    get state() {
      return state
    },
    get document() {
      return state.mirror
    },
    get epoch() {
      return state.mirror.epoch
    },
    get owner() {
      return state.mirror.owner
    },
    get pending() {
      return pendingOf(state)
    },
    get pendingSignOut() {
      return pendingSignOut(state.mirror)
    },
    get durability() {
      return storage.durability
    },
    async reload() {
      try {
        return adopt(newer(await storage.load(), state))
      } catch (error) {
        goOnInMemory(error)
        return adopt(await storage.load())
      }
    },
    async write(mutation) {
      const added = toOpen(state, mutation, nextStamp(state))
      const gone = state.open.filter((entry) => replaces(added, entry)).map((entry) => entry.stamp)
      unsaved.set(added.stamp, added)
      forget(gone)
      become({ ...state, open: withOpen(state.open, added) })
      post({ added: [added], gone })
      const target = storage
      try {
        await target.write(added, gone)
        if (target !== storage) leaveOnDisk(added)
      } catch (error) {
        goOnInMemory(error)
        await storage.write(added, gone)
      }
      unsaved.delete(added.stamp)
      return storage.durability
    },
    transact,
    hint: postHint,
    onChange(listener) {
      changeListeners.add(listener)
      return () => void changeListeners.delete(listener)
    },
    onHint: (listener) => void hintListeners.push(listener),
    onDurability: (listener) => void durabilityListeners.push(listener),
    close() {
      clearTimeout(checking)
      channel.close()
      storage.close()
    },
  }
  return mirror
}
