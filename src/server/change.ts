// Pure steps from one record to the next. Owns revisions: one more for each change that changes something.
// A step that changes nothing gives back the record itself.
import type { Json } from '../protocol/json.ts'
import { limits } from '../protocol/limits.ts'
import { type Entry, type Epoch, entryOf } from '../protocol/state.ts'
import { type SessionRecord, byteLength } from './record.ts'

/** New values by name; undefined removes. */
export type KeyChanges = ReadonlyMap<string, Json | undefined>

export interface NewRecord {
  readonly epoch: Epoch
  readonly owner: string | null
  readonly now: number
  readonly absoluteTimeoutSeconds: number
}

export function createRecord({ epoch, owner, now, absoluteTimeoutSeconds }: NewRecord): SessionRecord {
  return {
    epoch,
    revision: 0,
    owner,
    created: now,
    signedIn: owner === null ? null : now,
    expires: now + absoluteTimeoutSeconds,
    placed: now,
    presented: now,
    keys: {},
    removed: {},
    horizon: 0,
    clients: [],
  }
}

export function withKeys(record: SessionRecord, changes: KeyChanges): SessionRecord {
  const keys: Record<string, Entry> = { ...record.keys }
  const removed: Record<string, number> = { ...record.removed }
  const revision = record.revision + 1
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
  return isChanged ? { ...record, revision, keys, ...forget(removed, record.horizon) } : record
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
  if (marks.length <= limits.removedMarks) return { removed, horizon }
  marks.sort((a, b) => b[1] - a[1])
  const [, oldest] = marks[limits.removedMarks] ?? ['', horizon]
  return {
    removed: Object.fromEntries(marks.slice(0, limits.removedMarks)),
    horizon: Math.max(horizon, oldest),
  }
}

function isSame(a: Json, b: Json): boolean {
  return (
    a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))
  )
}
