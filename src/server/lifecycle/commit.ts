// Writing a session: changes as steps on whatever the record is by then, never a whole record over another.
// Writers of one session in this process queue up and are committed as one compare-and-swap; a conflict with
// another process re-reads and applies them again. An ended session stays ended.
import { SessionError } from '../../protocol/errors.ts'
import { fits } from '../changes/change.ts'
import type { Core } from '../core/core.ts'
import { locate, toError, unavailable } from './locate.ts'
import { type Place, type SessionRecord, encodeStored } from '../codec/record.ts'
import { retry } from './retry.ts'
import { since } from '../core/watch.ts'

/** A pure step; may run several times. Throws to refuse itself alone. */
export type Change<T> = (record: SessionRecord) => { readonly record: SessionRecord; readonly result: T }

export interface Target {
  readonly place: Place
  /** What this request has read already: saves a trip when nobody else writes. */
  readonly record: SessionRecord
  /** Of that read; undefined when it was used. */
  readonly token: string | undefined
}

export interface Committed<T> {
  /** The session may have moved since it was loaded. */
  readonly place: Place
  /** With this change, and those committed together with it. */
  readonly record: SessionRecord
  readonly result: T
}

/**
 * @throws SessionError `ended`, `reuse` or `lost` when the session is no more, `too-large`, `contention`,
 * `store-unavailable`, and what the change itself throws. Nothing of the change is stored then, but for
 * `store-unavailable`, where the store alone knows.
 */
export type Commit = <T>(target: Target, change: Change<T>) => Promise<Committed<T>>

interface Waiting {
  readonly target: Target
  apply(record: SessionRecord): SessionRecord
  resolve(place: Place, record: SessionRecord): void
  reject(error: unknown): void
}
interface Current extends Omit<Target, 'token'> {
  readonly token: string
}

export function createCommit(core: Core): Commit {
  const queues = new Map<string, Waiting[]>()

  async function drain(key: string): Promise<void> {
    let isFirst = true
    for (let group = queues.get(key) ?? []; group.length > 0; group = queues.get(key) ?? []) {
      queues.set(key, [])
      // What a writer read before it queued is older than what the group before it wrote.
      const [only] = isFirst && group.length === 1 ? group : []
      // oxlint-disable-next-line no-await-in-loop -- a queue is one after another
      await commitGroup(group, only && knownTo(only.target))
      isFirst = false
    }
    queues.delete(key)
  }

  async function commitGroup(group: readonly Waiting[], known: Current | undefined): Promise<void> {
    const started = performance.now()
    let waiting = group
    let current = known
    let attempts = 0
    let isWritten = false
    try {
      await retry(async () => {
        const before = current ?? (await read(group))
        current = undefined
        const applied = applyAll(waiting, before.record)
        waiting = applied.accepted
        attempts++
        isWritten = applied.record !== before.record
        // Nothing to do for what was read before: for what is there now there may be. Others may have set, since, what
        // this request sets back; or ended the session.
        if (!isWritten && before === known) return 'again'
        const written = await write(before, applied.record, waiting)
        if (written === 'again') core.watch.tell('conflict', { operation: 'commit' })
        return written
      })
      if (isWritten)
        core.watch.tell('commit', { writers: waiting.length, attempts, milliseconds: since(started) })
    } catch (error) {
      for (const writer of waiting) writer.reject(error)
    }
  }

  async function read([first]: readonly Waiting[]): Promise<Current> {
    if (first === undefined) throw new Error('An empty group is never committed.')
    const found = await locate(core, first.target.place)
    if (found.state !== 'live') throw toError(found)
    return found
  }

  async function write(
    before: Current,
    record: SessionRecord,
    writers: readonly Waiting[],
  ): Promise<'again' | undefined> {
    if (record !== before.record) {
      const value = encodeStored({ kind: 'live', record }, before.place.key, core.ring)
      const options = { token: before.token, ttlSeconds: core.times.idleTimeoutSeconds }
      const replaced = await core.store.replace(before.place.key, value, options)
      if (replaced.kind === 'unavailable') throw unavailable(replaced)
      // `missing` too: the next read says what became of it.
      if (replaced.kind !== 'stored') return 'again'
      core.feed.publish(record.epoch)
    }
    for (const writer of writers) writer.resolve(before.place, record)
    return undefined
  }

  return (target, change) =>
    new Promise((resolve, reject) => {
      const writer = toWaiting(target, change, { resolve, reject })
      const queue = queues.get(target.place.key)
      if (queue !== undefined) {
        queue.push(writer)
        return
      }
      queues.set(target.place.key, [writer])
      void drain(target.place.key)
    })
}

function knownTo({ place, record, token }: Target): Current | undefined {
  return token === undefined ? undefined : { place, record, token }
}

interface Settle<T> {
  resolve(committed: Committed<T>): void
  reject(error: unknown): void
}

function toWaiting<T>(target: Target, change: Change<T>, settle: Settle<T>): Waiting {
  let changed: { readonly result: T } | undefined
  return {
    target,
    apply(record) {
      const next = change(record)
      changed = next
      return next.record
    },
    resolve(place, record) {
      if (changed !== undefined) settle.resolve({ place, record, result: changed.result })
    },
    reject: settle.reject,
  }
}

/** All changes in turn; one that throws is refused alone. Sizes are looked at one by one only when it matters. */
function applyAll(
  writers: readonly Waiting[],
  before: SessionRecord,
  isCareful = false,
): { readonly record: SessionRecord; readonly accepted: readonly Waiting[] } {
  let record = before
  const accepted: Waiting[] = []
  for (const writer of writers) {
    try {
      const next = writer.apply(record)
      if (isCareful && next !== record && !fits(next)) throw new SessionError('too-large')
      record = next
      accepted.push(writer)
    } catch (error) {
      writer.reject(error)
    }
  }
  if (isCareful || record === before || fits(record)) return { record, accepted }
  return applyAll(accepted, before, true)
}
