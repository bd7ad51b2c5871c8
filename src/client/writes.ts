// Writes on their way: makes the mutation of each call, and keeps the promise of what became of it.
import { SessionError } from '../protocol/errors.ts'
import type { Json } from '../protocol/json.ts'
import * as limits from '../protocol/limits.ts'
import type { Base, Mutation, Outcome } from '../protocol/mutation.ts'
import { type KeyDefinition, type SessionSchema, checkValue, definitionOf } from '../protocol/schema.ts'
import { entryOf } from '../protocol/state.ts'
import { type LocalState, pendingOf } from '../mirror/steps/local-state.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Durability } from '../mirror/storage/storage.ts'
import { randomToken } from '../mirror/steps/random-token.ts'

/** What became of a write, beyond the server's own outcomes. */
export type WriteOutcome =
  | Outcome
  /** A later write of the same key took its place before it was sent. */
  | { readonly code: 'superseded' }
  /** The owner left before it was sent; it is kept, encrypted, and goes out when that owner is back. */
  | { readonly code: 'parked' }
  /** Given up: by `signOut`, or because its owner left and it could not be parked. */
  | { readonly code: 'discarded' }
  /** Storage failed after it was kept there: the next start sends it, if storage can be read then. */
  | { readonly code: 'left-on-disk' }

export interface Write {
  /** Resolves when the write is kept: on disk, or only in this tab's memory. Never rejects. */
  readonly stored: Promise<Durability>
  /** Resolves with the server's word, which may be much later when offline. Never rejects. */
  readonly acknowledged: Promise<WriteOutcome>
}

export interface Writes {
  set(key: string, value: unknown): Write
  remove(key: string): Write
  increment(key: string, by: number): Write
  update(key: string, change: (value: Json | undefined) => unknown): Write
  /** Answers the writes that `after` says something about. */
  follow(after: LocalState, before: LocalState): void
  /** Storage has failed; what is not in `state` stays where it was kept. */
  leaveOnDisk(state: LocalState): void
}

interface Options {
  readonly schema: SessionSchema
  readonly mirror: TabMirror
  readonly read: (key: string) => Json | undefined
  /** There is something to send. */
  readonly onWrite: () => void
}

/** An update that met a newer value runs again on it this often; then its conflict stands. */
const reruns = 20

export function createWrites({ schema, mirror, read, onWrite }: Options): Writes {
  const waiting = new Map<string, Waiting>()
  /** The write that is being made: what it replaces becomes its own to do again. */
  let taker: Waiting | undefined
  let onReplaced: (ids: readonly string[]) => unknown = tellReplaced

  /** What a later write replaced may have been sealed in the same moment: storage knows. */
  async function tellReplaced(ids: readonly string[]): Promise<void> {
    const { outbox } = await mirror.reload()
    for (const id of ids) {
      const awaited = waiting.get(id)
      if (awaited?.isReplaced !== true) continue
      waiting.delete(id)
      const outcome = outbox.settled[id]
      awaited.isReplaced = outcome === undefined
      awaited.resolve(outcome ?? { code: 'superseded' })
    }
  }

  function write(mutation: Mutation, changes: readonly Change[]): Sent {
    checkRoom(mirror.state, mutation)
    const { owner } = mirror
    const awaited: Waiting = { owner, resolve: () => undefined, isReplaced: false, changes, replaced: [] }
    const acknowledged = new Promise<WriteOutcome>((resolve) => {
      awaited.resolve = resolve
    })
    waiting.set(mutation.id, awaited)
    taker = awaited
    const replaced: string[] = []
    onReplaced = (ids) => replaced.push(...ids)
    const stored = mirror.write(mutation)
    taker = undefined
    onReplaced = tellReplaced
    // Asked any earlier, storage would read first, and this write would wait for it.
    if (replaced.length > 0) void stored.then(() => tellReplaced(replaced))
    onWrite()
    return { stored, acknowledged, awaited }
  }

  function set(key: string, value: unknown, changes?: readonly Change[]): Sent {
    const definition = writableOf(schema, key, 'value')
    const checked = checkValue(definition, value)
    const base =
      changes !== undefined || definition.policy !== 'last-write-wins'
        ? { base: baseOf(mirror.state, key) }
        : {}
    return write({ id: randomToken(), kind: 'set', key, value: checked, ...base }, changes ?? [() => checked])
  }

  function updateOnce(key: string, changes: readonly Change[]): Sent {
    const definition = writableOf(schema, key, 'value')
    const value = changes.reduce(
      (before: unknown, change) => change((before === undefined ? definition.default : before) as Json), // Checked below.
      read(key),
    )
    if (value !== undefined) return set(key, value, changes)
    return write({ id: randomToken(), kind: 'remove', key, base: baseOf(mirror.state, key) }, changes)
  }

  return {
    set: (key, value) => set(key, value),
    remove(key) {
      writableOf(schema, key, 'any')
      return write({ id: randomToken(), kind: 'remove', key }, [() => undefined])
    },
    increment(key, by) {
      writableOf(schema, key, 'counter')
      if (!Number.isSafeInteger(by))
        throw new SessionError('invalid', 'A counter is incremented by whole numbers.')
      return write({ id: randomToken(), kind: 'increment', key, by }, [])
    },
    update(key, change) {
      const first = updateOnce(key, [change])
      return { stored: first.stored, acknowledged: rerun(first, (changes) => updateOnce(key, changes)) }
    },
    follow(after, before) {
      if (waiting.size === 0) return
      const pending = new Set(pendingOf(after).map((mutation) => mutation.id))
      const replaced: string[] = []
      for (const [id, awaited] of waiting) {
        if (pending.has(id)) awaited.isReplaced = false
        if (pending.has(id) || awaited.isReplaced) continue
        const outcome = after.outbox.settled[id] ?? fateOf(id, awaited, { after, before })
        awaited.isReplaced = outcome.code === 'superseded'
        if (awaited.isReplaced) {
          replaced.push(id)
          taker?.replaced.push(awaited)
          continue
        }
        waiting.delete(id)
        awaited.resolve(outcome)
      }
      if (replaced.length > 0) void onReplaced(replaced)
    },
    leaveOnDisk(state) {
      const pending = new Set(pendingOf(state).map((mutation) => mutation.id))
      for (const [id, { resolve }] of waiting) {
        if (pending.has(id)) continue
        waiting.delete(id)
        resolve({ code: 'left-on-disk' })
      }
    },
  }
}

interface Waiting {
  /** Who was here when it was written. */
  readonly owner: string | null
  resolve: (outcome: WriteOutcome) => void
  /** Gone from the outbox because of a later write. */
  isReplaced: boolean
  /** What it does to the value. */
  readonly changes: readonly Change[]
  /** Writes of this tab whose place it took. */
  readonly replaced: Waiting[]
}
interface Sent extends Write {
  readonly awaited: Waiting
}
type Change = (value: Json | undefined) => unknown

/** With those of the writes that were never sent because of it. */
function changesOf({ changes, replaced }: Waiting): readonly Change[] {
  return [...replaced.filter(({ isReplaced }) => isReplaced).flatMap(changesOf), ...changes]
}

async function rerun(first: Sent, again: (changes: readonly Change[]) => Sent): Promise<WriteOutcome> {
  let last = first
  let outcome = await first.acknowledged
  for (let count = 0; outcome.code === 'conflict' && count < reruns; count++) {
    try {
      last = again(changesOf(last.awaited))
      outcome = await last.acknowledged
    } catch (error) {
      // The change cannot be made on the newest value: its own throw, or a value that the schema refuses.
      outcome = { code: 'invalid', message: error instanceof Error ? error.message : String(error) }
    }
  }
  return outcome
}

/** An unsent write is gone from the outbox: why? */
function fateOf(
  id: string,
  { owner }: Waiting,
  { after, before }: { readonly after: LocalState; readonly before: LocalState },
): WriteOutcome {
  // One that came too late for the parcel is not in there.
  if (after.parcels.some(({ ids }) => ids?.includes(id))) return { code: 'parked' }
  const isOver = after.mirror.life !== before.mirror.life || after.mirror.owner !== owner
  return { code: isOver ? 'discarded' : 'superseded' }
}

function baseOf({ mirror }: LocalState, key: string): Base {
  const entry = entryOf(mirror.keys, key)
  if (entry === undefined) return { epoch: mirror.epoch, revision: 0 }
  return { epoch: mirror.epoch, revision: entry[0], value: entry[1] }
}

function writableOf(schema: SessionSchema, key: string, kind: 'value' | 'counter' | 'any'): KeyDefinition {
  const definition = definitionOf(schema, key)
  if (definition === undefined) throw new SessionError('unknown-key', `The schema has no key "${key}".`)
  if (definition.access !== 'writable') {
    throw new SessionError('denied', `"${key}" is ${definition.access}: only the server may write it.`)
  }
  if (kind !== 'any' && definition.kind !== kind) {
    const how = definition.kind === 'counter' ? 'is a counter: use increment' : 'is not a counter: use set'
    throw new SessionError('denied', `"${key}" ${how}.`)
  }
  return definition
}

const sizes = new WeakMap<Mutation, number>()

function checkRoom(state: LocalState, mutation: Mutation): void {
  const size = sizeOf(mutation)
  if (size > limits.batchBytes)
    throw new SessionError('too-large', `One change is ${limits.batchBytes} bytes at most.`)
  const total = pendingOf(state).reduce((sum, pending) => sum + sizeOf(pending), size)
  if (total > limits.outboxBytes)
    throw new SessionError('outbox-full', 'Too many unsent changes: wait until they are sent.')
}

/** Bytes as UTF-8, at most: three for one UTF-16 unit, where it is not known to be less. */
function sizeOf(mutation: Mutation): number {
  const known = sizes.get(mutation)
  if (known !== undefined) return known
  const size = new TextEncoder().encode(JSON.stringify(mutation)).length
  sizes.set(mutation, size)
  return size
}
