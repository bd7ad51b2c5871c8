// Writing a session: changes as steps on whatever the record is by then, never a whole record over another. Writers of
// one session in this process queue up and are committed as one compare-and-swap; a conflict with another process
// re-reads and applies them again. An ended session stays ended.
import { checkSize, fits } from '../changes/change.ts'
import * as limits from '../../protocol/limits.ts'
import { type Placed, type ReadRecord, type SessionRecord, encodeStored } from '../codec/record.ts'
import type { Core } from '../core/core.ts'
import { retry } from '../changes/retry.ts'
import { millisecondsSince } from '../core/watch.ts'
import { goneError, locate, unavailable } from './locate.ts'

/** A pure step; may run several times. Throws to refuse itself alone. */
export type Change<T> = (record: SessionRecord) => { readonly record: SessionRecord; readonly result: T }

/**
 * Commits a change of the session that a request found. A token of that read saves a trip to the store when nobody else
 * writes. The session may have moved meanwhile: the result says where it is, with this change and those that were
 * committed together with it.
 * @throws SessionError `ended`, `reuse` or `lost` when the session is gone, `too-large`, `contention`,
 * `store-unavailable`, and what the change itself throws. Nothing of the change is stored then, but for
 * `store-unavailable`, where the store alone knows.
 */
export type Commit = <T>(
  found: Placed,
  change: Change<T>,
  options?: CommitOptions,
) => Promise<Placed & { readonly result: T }>

export interface CommitOptions {
  /** Whether the change merges values, which may be much larger than what came. @default false */
  readonly isMerging?: boolean
}

export function createCommit(core: Core): Commit {
  /** Writers that wait, by the key of the place where they found their session. */
  const queues = new Map<string, Writer[]>()

  async function drain(key: string): Promise<void> {
    let isFirst = true
    for (let group = takeGroup(key); group.length > 0; group = takeGroup(key)) {
      // What a writer read before it queued is older than what the group before it wrote.
      const [only] = isFirst && group.length === 1 ? group : []
      // oxlint-disable-next-line no-await-in-loop -- a queue is one after another
      await commitGroup(core, group, only && readBy(only.found))
      isFirst = false
      // oxlint-disable-next-line no-await-in-loop -- others are to be answered between two groups that merge
      if (queues.get(key)?.some(({ isMerging }) => isMerging) === true) await nextTurn()
    }
    queues.delete(key)
  }

  /** The writers that are committed next, in their order. The others wait. */
  function takeGroup(key: string): readonly Writer[] {
    const waiting = queues.get(key) ?? []
    const end = groupEnd(waiting)
    queues.set(key, waiting.slice(end))
    return waiting.slice(0, end)
  }

  return (found, change, { isMerging = false } = {}) =>
    new Promise((resolve, reject) => {
      const { key } = found.place
      const queue = queues.get(key)
      if (queue !== undefined) {
        // It runs when another request's turn ends: the app's validators and updates are to find their own context.
        queue.push(new ChangeWriter(found, core.keepContext(change), { resolve, reject, isMerging }))
        return
      }
      queues.set(key, [new ChangeWriter(found, change, { resolve, reject, isMerging })])
      void drain(key)
    })
}

/**
 * Where a group ends, so that few merges run in one turn of the event loop, and few run again after a conflict. Of 100
 * requests of 420 bytes, each with a merge of 240 kB, 99 were merged in one turn, and all of them again for each conflict.
 */
function groupEnd(waiting: readonly Writer[]): number {
  let merging = 0
  const end = waiting.findIndex(({ isMerging }) => isMerging && ++merging > limits.mergingWriters)
  return end === -1 ? waiting.length : end
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

function readBy({ place, record, token }: Placed): ReadRecord | undefined {
  return token === undefined ? undefined : { place, record, token }
}

/** Commits changes of one session together. Never rejects: each writer is told its own result. */
async function commitGroup(
  core: Core,
  group: readonly Writer[],
  known: ReadRecord | undefined,
): Promise<void> {
  const started = performance.now()
  let writers = group
  let attempts = 0
  let isWritten = false
  try {
    await retry(async () => {
      const before = attempts === 0 && known !== undefined ? known : await readFor(core, group)
      const applied = applyAll(writers, before.record)
      writers = applied.accepted
      attempts++
      isWritten = applied.record !== before.record
      // Nothing to do for what was read before: for what is there now there may be. Others may have set, since, what this
      // request sets back; or ended the session.
      if (!isWritten && before === known) return 'again'
      if (isWritten && !(await write(core, before, applied.record))) {
        core.watch.tell('conflict', { operation: 'commit' })
        return 'again'
      }
      for (const writer of writers) writer.resolve({ place: before.place, record: applied.record })
      return undefined
    })
    const milliseconds = millisecondsSince(started)
    if (isWritten) core.watch.tell('commit', { writers: writers.length, attempts, milliseconds })
  } catch (error) {
    for (const writer of writers) writer.reject(error)
  }
}

async function readFor(core: Core, [first]: readonly Writer[]): Promise<ReadRecord> {
  if (first === undefined) throw new Error('An empty group is never committed.')
  const located = await locate(core, first.found.place)
  if (located.state !== 'live') throw goneError(located)
  return located
}

/** Whether it was written. Not when somebody else was quicker, or the record is gone: the next read says which. */
async function write(core: Core, { place, token }: ReadRecord, record: SessionRecord): Promise<boolean> {
  const value = encodeStored({ kind: 'live', record }, place.key, core.ring)
  const options = { token, ttlSeconds: core.times.idleTimeoutSeconds }
  const replaced = await core.store.replace(place.key, value, options)
  if (replaced.kind === 'unavailable') throw unavailable(replaced)
  if (replaced.kind !== 'stored') return false
  core.feed.publish(record.epoch)
  return true
}

/** A change that waits to be committed. */
interface Writer {
  readonly found: Placed
  readonly isMerging: boolean
  apply(record: SessionRecord): SessionRecord
  resolve(placed: Placed): void
  reject(error: unknown): void
}

interface Settle<T> extends Required<CommitOptions> {
  resolve(committed: Placed & { readonly result: T }): void
  reject(error: unknown): void
}

class ChangeWriter<T> implements Writer {
  readonly found: Placed
  readonly isMerging: boolean
  readonly #change: Change<T>
  readonly #settle: Settle<T>
  #changed: { readonly result: T } | undefined = undefined

  constructor(found: Placed, change: Change<T>, settle: Settle<T>) {
    this.found = found
    this.#change = change
    this.#settle = settle
    this.isMerging = settle.isMerging
  }

  apply(before: SessionRecord): SessionRecord {
    const changed = this.#change(before)
    this.#changed = changed
    return changed.record
  }

  resolve({ place, record }: Placed): void {
    if (this.#changed !== undefined) this.#settle.resolve({ place, record, result: this.#changed.result })
  }

  reject(error: unknown): void {
    this.#settle.reject(error)
  }
}

interface Applied {
  readonly record: SessionRecord
  /** The writers whose changes are in the record. */
  readonly accepted: readonly Writer[]
}

/** All changes in turn; one that throws is refused alone. Sizes are looked at one by one only when it matters. */
function applyAll(writers: readonly Writer[], before: SessionRecord): Applied {
  const applied = applyEach(writers, before, () => undefined)
  if (applied.record === before || fits(applied.record)) return applied
  return applyEach(applied.accepted, before, checkSize)
}

function applyEach(
  writers: readonly Writer[],
  before: SessionRecord,
  check: (next: SessionRecord) => void,
): Applied {
  let record = before
  const accepted: Writer[] = []
  for (const writer of writers) {
    try {
      const next = writer.apply(record)
      if (next !== record) check(next)
      record = next
      accepted.push(writer)
    } catch (error) {
      writer.reject(error)
    }
  }
  return { record, accepted }
}
