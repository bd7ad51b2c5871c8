// Makes the mutation of each call, and makes an update again that met a newer value.
import { SessionError } from '../protocol/errors.ts'
import type { Json } from '../protocol/json.ts'
import * as limits from '../protocol/limits.ts'
import type { Base, Mutation } from '../protocol/mutation.ts'
import { type SessionSchema, checkValue } from '../protocol/schema.ts'
import { entryOf } from '../protocol/state.ts'
import { isInteger } from '../protocol/whole-number.ts'
import type { LocalState, MirrorDocument } from '../mirror/steps/local-state.ts'
import { randomToken } from '../mirror/steps/random-token.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { writableOf } from './key-checks.ts'
import {
  type ValueChange,
  type PendingWrite,
  type PendingWrites,
  type Write,
  type WriteOutcome,
  createPendingWrites,
} from './pending-writes.ts'

/** Each throws, and changes nothing, for a key or a value that the schema does not allow, and when there is no room. */
export interface Writes extends Pick<PendingWrites, 'follow' | 'leaveOnDisk'> {
  set(key: string, value: unknown): Write
  remove(key: string): Write
  increment(key: string, by: number): Write
  update(key: string, change: (value: Json | undefined) => unknown): Write
}

export interface WritesOptions {
  readonly schema: SessionSchema
  readonly mirror: TabMirror
  /** The value that the page shows. */
  readonly read: (key: string) => Json | undefined
  /** There is something to send. */
  readonly onWrite: () => void
}

/** An update that met a newer value runs again this often; then its conflict stands. */
const updateRepetitions = 20

export function createWrites({ schema, mirror, read, onWrite }: WritesOptions): Writes {
  const pending = createPendingWrites(mirror)

  function write(mutation: Mutation, changes: readonly ValueChange[]): PendingWrite {
    checkRoom(mirror.state, mutation)
    const written = pending.add(mutation, changes)
    onWrite()
    return written
  }

  /** `changes` are there for an update, which is always made on a base. */
  function set(key: string, value: unknown, changes?: readonly ValueChange[]): PendingWrite {
    const definition = writableOf(schema, key, 'value')
    const checked = checkValue(definition, value)
    const hasBase = changes !== undefined || definition.policy !== 'last-write-wins'
    const base = hasBase ? { base: baseOf(mirror.document, key) } : {}
    return write({ id: randomToken(), kind: 'set', key, value: checked, ...base }, changes ?? [() => checked])
  }

  function updateOnce(key: string, changes: readonly ValueChange[]): PendingWrite {
    const definition = writableOf(schema, key, 'value')
    const value = changes.reduce(
      (before: unknown, change) => change((before === undefined ? definition.default : before) as Json), // Checked below.
      read(key),
    )
    if (value !== undefined) return set(key, value, changes)
    return write({ id: randomToken(), kind: 'remove', key, base: baseOf(mirror.document, key) }, changes)
  }

  return {
    ...pending,
    set: (key, value) => set(key, value),
    remove(key) {
      writableOf(schema, key, 'any')
      return write({ id: randomToken(), kind: 'remove', key }, [() => undefined])
    },
    increment(key, by) {
      writableOf(schema, key, 'counter')
      if (!isInteger(by))
        throw new SessionError('invalid', `A counter is incremented by whole numbers, not ${by}.`)
      return write({ id: randomToken(), kind: 'increment', key, by }, [])
    },
    update(key, change) {
      const first = updateOnce(key, [change])
      return { stored: first.stored, acknowledged: rerun(first, (changes) => updateOnce(key, changes)) }
    },
  }
}

async function rerun(
  first: PendingWrite,
  again: (changes: readonly ValueChange[]) => PendingWrite,
): Promise<WriteOutcome> {
  let last = first
  let outcome = await first.acknowledged
  for (let count = 0; outcome.code === 'conflict' && count < updateRepetitions; count++) {
    try {
      last = again(last.changes())
      outcome = await last.acknowledged
    } catch (error) {
      // The change cannot be made on the newest value: its own throw, or a value that the schema refuses.
      outcome = { code: 'invalid', message: error instanceof Error ? error.message : String(error) }
    }
  }
  return outcome
}

function baseOf({ epoch, keys }: MirrorDocument, key: string): Base {
  const entry = entryOf(keys, key)
  return entry === undefined ? { epoch, revision: 0 } : { epoch, revision: entry[0], value: entry[1] }
}

const sizes = new WeakMap<object, number>()

function checkRoom({ open, outbox }: LocalState, mutation: Mutation): void {
  const text = JSON.stringify(mutation)
  const own = utf8BytesOf(text)
  // No session can hold it, whatever else it has. Counted only where it may be so: most writes are small.
  const value =
    own > limits.recordBytes && mutation.kind === 'set' ? utf8BytesOf(JSON.stringify(mutation.value)) : 0
  if (value > limits.recordBytes)
    throw new SessionError(
      'too-large',
      `A session has ${limits.recordBytes} bytes at most, this value of "${mutation.key}" alone ${value}.`,
    )
  // A batch is a text inside of a body: its quotes are escaped once more, which makes it twice as long at most.
  const sent = own * 2 > limits.changeBytes ? utf8BytesOf(JSON.stringify(text)) : own
  if (sent > limits.changeBytes)
    throw new SessionError(
      'too-large',
      `One change has ${limits.changeBytes} bytes at most as it is sent, with the value that it was made from. This one of "${mutation.key}" has ${sent}.`,
    )
  // With all that is kept beside them: what their writers saw, and the text of a batch that is on its way.
  const kept = outbox.sealed === null ? open : [...open, outbox.sealed]
  const total = kept.reduce((sum, one) => sum + bytesOf(one), own)
  if (total > limits.outboxBytes)
    throw new SessionError(
      'outbox-full',
      `Too many unsent changes (${total} bytes): wait until they are sent.`,
    )
}

/** Bytes as JSON. Counted once: there may be thousands, and each write asks for all of them. */
function bytesOf(kept: object): number {
  const known = sizes.get(kept)
  if (known !== undefined) return known
  const size = utf8BytesOf(JSON.stringify(kept))
  sizes.set(kept, size)
  return size
}

function utf8BytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}
