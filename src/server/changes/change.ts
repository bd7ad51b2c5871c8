// Steps from one record to the next. Owns revisions: one more for each change that changes something.
// A step that changes nothing gives back the record itself.
import type { Json } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import { type Entries, type Entry, type Epoch, entryOf } from '../../protocol/state.ts'
import { type Core, type Numbering, now } from '../core/core.ts'
import type { SessionRecord } from '../codec/record.ts'
import { byteLength } from '../codec/seal.ts'

/** New values by name; undefined removes. */
export type KeyChanges = ReadonlyMap<string, Json | undefined>

export interface SignIn {
  readonly owner: string
  readonly carry: readonly string[]
  readonly label: string | null
  /** Undefined: as the session before, else as the app has it by default. */
  readonly persistent: boolean | undefined
}

/** A session that begins now. */
export function createRecord(core: Core, owner: string | null): SessionRecord {
  const time = now(core)
  return {
    epoch: toBase64Url(core.crypto.randomBytes(12)) as Epoch, // 16 url-safe characters.
    revision: 0,
    owner,
    created: time,
    signedIn: owner === null ? null : time,
    label: null,
    persistent: core.persistent,
    expires: time + core.times.absoluteTimeoutSeconds,
    placed: time,
    presented: time,
    keys: {},
    removed: {},
    horizon: 0,
    clients: [],
  }
}

/**
 * A session after a sign-in: a new life that goes on with what may be kept. The revision goes on too, so that
 * none ever stands for two states of one browser's session.
 */
export function signedIn(
  next: SessionRecord,
  before: SessionRecord | undefined,
  signIn: SignIn,
): SessionRecord {
  const { label, persistent } = signIn
  if (before === undefined)
    return { ...next, revision: 1, horizon: 1, label, persistent: persistent ?? next.persistent }
  const revision = before.revision + 1
  const clients = before.owner === signIn.owner ? before.clients : []
  return {
    ...next,
    created: before.created,
    label,
    persistent: persistent ?? before.persistent,
    revision,
    horizon: revision,
    keys: keptKeys(before, signIn),
    clients,
  }
}

/** The same session under another epoch: who is signed in, since when and for how long stays. */
export function renewed(next: SessionRecord, before: SessionRecord): SessionRecord {
  const { epoch, placed, presented } = next
  const revision = before.revision + 1
  return { ...before, epoch, placed, presented, revision, horizon: revision, removed: {} }
}

/** The same owner keeps all; from anybody else only what is carried goes on. */
export function keptKeys(before: SessionRecord, { owner, carry }: SignIn): Entries {
  if (before.owner === owner) return before.keys
  return Object.fromEntries(Object.entries(before.keys).filter(([name]) => carry.includes(name)))
}

export function withKeys(record: SessionRecord, changes: KeyChanges, numbering?: Numbering): SessionRecord {
  const { revision, isFork } = numbering ?? { revision: record.revision + 1, isFork: false }
  const keys: Record<string, Entry> = { ...record.keys }
  const removed: Record<string, number> = { ...record.removed }
  let isChanged = false
  for (const [name, value] of changes) {
    const before = entryOf(record.keys, name)
    if (value === undefined ? before === undefined : before !== undefined && isSame(before[1], value))
      continue
    isChanged = true
    if (value === undefined) {
      delete keys[name]
      removed[name] = revision
    } else {
      delete removed[name]
      keys[name] = [revision, value]
    }
  }
  if (!isChanged) return record
  return isFork
    ? { ...record, revision, keys, removed: {}, horizon: revision }
    : { ...record, revision, keys, ...forget(removed, record.horizon) }
}

/** Of an empty session nothing is stored. One whose last key was removed is not empty: somebody watches it. */
export function isEmpty(record: SessionRecord): boolean {
  return record.owner === null && record.revision === 0
}

/** Whether the session's data fits; memos have limits of their own. */
export function fits(record: SessionRecord): boolean {
  const text = JSON.stringify(record.keys)
  // Three bytes is the most that UTF-8 needs for one UTF-16 unit: most records need not be counted.
  return text.length * 3 <= limits.recordBytes || byteLength(text) <= limits.recordBytes
}

function forget(
  removed: Readonly<Record<string, number>>,
  horizon: number,
): { removed: Readonly<Record<string, number>>; horizon: number } {
  const marks = Object.entries(removed)
  if (marks.length <= limits.removalMarks) return { removed, horizon }
  marks.sort((a, b) => b[1] - a[1])
  const [, oldest] = marks[limits.removalMarks] ?? ['', horizon]
  return {
    removed: Object.fromEntries(marks.slice(0, limits.removalMarks)),
    horizon: Math.max(horizon, oldest),
  }
}

function isSame(a: Json, b: Json): boolean {
  return (
    a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))
  )
}
