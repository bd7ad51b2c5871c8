// One tab's (or worker's) copy of the local state, in memory and always current: reads are synchronous,
// writes are visible at once, storage and the other tabs follow. Goes on in memory when storage fails.
import type { Mutation } from '../protocol/mutation.ts'
import { type Hint, type Notice, openChannel } from './channel.ts'
import { NewerFormatError } from './connection.ts'
import { memoryStorage } from './fallback.ts'
import { type LocalState, type OpenMutation, emptyLocalState, pendingOf } from './local.ts'
import { isReplacedBy, withOpen } from './outbox.ts'
import type { Durability, Step, Storage } from './storage.ts'
import { randomToken } from './token.ts'

export interface MirrorOptions {
  readonly storage: Storage
  readonly channel: string
  readonly now: () => number
}

export interface TabMirror {
  readonly state: LocalState
  readonly durability: Durability
  /** Reads storage again: at start, after sleep, and in a worker before every decision. */
  reload(): Promise<LocalState>
  /** Visible in `state` on return; resolves once it is kept, and says where. Never rejects. */
  write(mutation: Mutation): Promise<Durability>
  /** Runs a pure step on the newest state of all tabs, keeps it and tells the other tabs. Never rejects. */
  transact(step: Step, durability?: 'relaxed' | 'strict'): Promise<LocalState>
  /** Tells the other tabs what an answer said about the session. */
  hint(hint: Hint): void
  /** Returns the way to stop. */
  onChange(listener: (after: LocalState, before: LocalState) => void): () => void
  onHint(listener: (hint: Hint) => void): void
  onDurability(listener: (durability: Durability) => void): void
  close(): void
}

export function createMirror(options: MirrorOptions): TabMirror {
  let { storage } = options
  let state = emptyLocalState()
  /** Writes of this tab that storage has not confirmed: they stay visible whatever else is loaded. */
  const unsaved = new Map<string, OpenMutation>()
  const changeListeners = new Set<(after: LocalState, before: LocalState) => void>()
  const hintListeners: ((hint: Hint) => void)[] = []
  const durabilityListeners: ((durability: Durability) => void)[] = []
  const nextStamp = stamps(options.now)
  const channel = openChannel(options.channel, receive)

  function become(next: LocalState): LocalState {
    const before = state
    state = next
    if (next !== before) for (const listener of changeListeners) listener(next, before)
    return next
  }

  function receive(notice: Notice): void {
    // In memory mode the others' documents are not ours: their outbox would be sent twice.
    if (storage.durability === 'disk') become(merge(state, notice))
    if (notice.hint !== undefined) for (const listener of hintListeners) listener(notice.hint)
  }

  /** What storage says, with this tab's writes on top that storage has not got yet. */
  function adopt(loaded: LocalState): LocalState {
    let { open } = loaded
    for (const entry of unsaved.values())
      if (!isKnown(loaded, entry.mutation.id)) open = withOpen(open, entry)
    return become({ ...loaded, open })
  }

  function post(notice: Notice): void {
    const { mirror } = notice
    if (storage.durability === 'disk') channel.post(notice)
    else if (mirror !== undefined) channel.post({ hint: mirror.mirror })
  }

  async function goOnInMemory(error: unknown): Promise<void> {
    if (storage.durability === 'memory') return
    const { mirror } = state
    const fresh = emptyLocalState()
    storage.close()
    // What is on disk stays there for a later start or another tab. Sending it from here as well would
    // apply it twice under two client ids, so only writes that never reached the disk come along.
    const kept = error instanceof NewerFormatError ? fresh : { ...fresh, mirror, open: [...unsaved.values()] }
    storage = memoryStorage(kept)
    become(kept)
    for (const listener of durabilityListeners) listener('memory')
  }

  return {
    get state() {
      return state
    },
    get durability() {
      return storage.durability
    },
    async reload() {
      try {
        return adopt(newer(await storage.load(), state))
      } catch (error) {
        await goOnInMemory(error)
        return state
      }
    },
    async write(mutation) {
      const added = { stamp: nextStamp(state), mutation }
      const gone = replacedStamps(state, mutation)
      unsaved.set(added.stamp, added)
      become({ ...state, open: withOpen(state.open, added) })
      post({ added: [added], gone })
      try {
        await storage.write(added, gone)
      } catch (error) {
        await goOnInMemory(error)
      }
      unsaved.delete(added.stamp)
      return storage.durability
    },
    async transact(step, durability = 'relaxed') {
      let before = state
      const remembering: Step = (current) => {
        before = current
        return step(current)
      }
      try {
        const after = await storage.transact(remembering, durability)
        post(difference(before, after))
        return adopt(after)
      } catch (error) {
        if (storage.durability === 'memory') throw error
        await goOnInMemory(error)
        return adopt(await storage.transact(remembering, durability))
      }
    },
    hint: (hint) => channel.post({ hint: { epoch: hint.epoch, revision: hint.revision } }),
    onChange(listener) {
      changeListeners.add(listener)
      return () => void changeListeners.delete(listener)
    },
    onHint: (listener) => void hintListeners.push(listener),
    onDurability: (listener) => void durabilityListeners.push(listener),
    close() {
      channel.close()
      storage.close()
    },
  }
}

/** A notice from another tab on top of what this one knows; older documents are passed over. */
function merge(state: LocalState, { mirror, outbox, added = [], gone = [] }: Notice): LocalState {
  const next = {
    ...state,
    mirror: mirror !== undefined && mirror.version > state.mirror.version ? mirror : state.mirror,
    outbox: outbox !== undefined && outbox.version > state.outbox.version ? outbox : state.outbox,
  }
  let open: readonly OpenMutation[] = next.open.filter(
    (entry) => !gone.includes(entry.stamp) && !isKnown({ ...next, open: [] }, entry.mutation.id),
  )
  for (const entry of added) if (!isKnown(next, entry.mutation.id)) open = withOpen(open, entry)
  return { ...next, open }
}

/**
 * A read that was under way while another tab's newer documents arrived must not put the older ones back. A
 * version of 0 is an empty database: the user has cleared it, and that is newer.
 */
function newer(loaded: LocalState, known: LocalState): LocalState {
  const isOld = loaded.outbox.version < known.outbox.version && loaded.outbox.version > 0
  const outboxAndOpen = isOld ? { outbox: known.outbox, open: known.open } : {}
  const isOldMirror = loaded.mirror.version < known.mirror.version && loaded.mirror.version > 0
  return { ...loaded, ...outboxAndOpen, mirror: isOldMirror ? known.mirror : loaded.mirror }
}

function difference(before: LocalState, after: LocalState): Notice {
  const gone = before.open.filter((entry) => !after.open.includes(entry)).map((entry) => entry.stamp)
  const added = after.open.filter((entry) => !before.open.includes(entry))
  return {
    mirror: after.mirror === before.mirror ? undefined : after.mirror,
    outbox: after.outbox === before.outbox ? undefined : after.outbox,
    added,
    gone: gone.filter((stamp) => !added.some((entry) => entry.stamp === stamp)),
  }
}

function isKnown(state: LocalState, id: string): boolean {
  return Object.hasOwn(state.outbox.settled, id) || pendingOf(state).some((mutation) => mutation.id === id)
}

function replacedStamps(state: LocalState, mutation: Mutation): string[] {
  return state.open.filter((entry) => isReplacedBy(entry.mutation, mutation)).map((entry) => entry.stamp)
}

/** Sortable stamps: local time, never behind a stamp already seen, with this tab's name behind it. */
function stamps(now: () => number): (state: LocalState) => string {
  const tab = randomToken().slice(0, 6)
  let last = 0
  return (state) => {
    const seen = Number.parseInt(state.open.at(-1)?.stamp ?? '0', 36) || 0
    last = Math.max(now(), last + 1, seen + 1)
    return `${last.toString(36).padStart(9, '0')}.${tab}`
  }
}
