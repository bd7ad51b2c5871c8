// Steps from one record to the next. Owns revisions: one more for each change that changes something. A step that changes
// nothing gives back the record itself. Pure.
import type { Json } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import { type Entries, type Entry, type Epoch, entryOf } from '../../protocol/state.ts'
import { type Core, type Numbering, now } from '../core/core.ts'
import type { SessionRecord } from '../codec/record.ts'
import { refusal } from '../core/refusal.ts'
import { byteLength } from '../codec/sealed-item.ts'

/** New values by the name of their key; undefined removes. */
export type KeyChanges = ReadonlyMap<string, Json | undefined>

/** A sign-in as the app asked for it. */
export interface SignIn {
  readonly owner: string
  /** Names of the keys that go on from the session of nobody, or of another owner. */
  readonly carry: readonly string[]
  /** What the list of the owner's sessions calls this one. */
  readonly label: string | null
  /** Undefined: as the session before, else as the app has it by default. */
  readonly persistent: boolean | undefined
}

/** The record of a session that begins now. */
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
 * The record after a sign-in: a new life that goes on with what may be kept. The revision goes on, too, so that no revision
 * ever stands for two states of one browser's session.
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

/** The record of the same session under another epoch: who is signed in, since when and for how long stays. */
export function regenerated(next: SessionRecord, before: SessionRecord): SessionRecord {
  const { epoch, placed, presented } = next
  const revision = before.revision + 1
  return { ...before, epoch, placed, presented, revision, horizon: revision, removed: {} }
}

/** The keys that a sign-in keeps: all of the same owner's, and from anybody else only those that are carried. */
export function keptKeys(before: SessionRecord, { owner, carry }: SignIn): Entries {
  if (before.owner === owner) return before.keys
  return Object.fromEntries(Object.entries(before.keys).filter(([name]) => carry.includes(name)))
}

/** The record with the changes applied, under a new revision; `record` itself when they change nothing. */
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

/**
 * Whether there is nothing to store yet. A session whose last key was removed is not empty: browsers have a copy of it.
 */
export function isEmpty(record: SessionRecord): boolean {
  return record.owner === null && record.revision === 0
}

/** Whether the session's data fits into a record. Memos have limits of their own. */
export function fits(record: SessionRecord): boolean {
  const text = JSON.stringify(record.keys)
  // Three bytes is the most that UTF-8 needs for one UTF-16 unit: most records need not be counted.
  return text.length * 3 <= limits.recordBytes || byteLength(text) <= limits.recordBytes
}

/** @throws SessionError `too-large` when the session's data does not fit into a record */
export function checkSize(record: SessionRecord): void {
  if (!fits(record)) throw refusal('too-large')
}

/** The newest removal marks; the horizon moves to the newest one that is left out. */
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
