// The mirrored state and how a newer one takes its place. Pure; used by the server to make patches'
// meaning testable and by the browser to adopt them. Older state never overwrites newer.
import type { Json } from './json.ts'

declare const brand: unique symbol
/** Names one life of a session: new at first write, sign-in, sign-out and loss; survives id rotation. */
export type Epoch = string & { readonly [brand]: 'epoch' }

/** Ids of clients, mutations and epochs: url-safe random text. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{8,43}$/.test(value)
}

export function isEpoch(value: unknown): value is Epoch {
  return isToken(value)
}

/** A key's value with the revision of the session that last changed it. */
export type Entry = readonly [revision: number, value: Json]

/** Entries by the name of their key. */
export type Entries = Readonly<Record<string, Entry>>

/** The browser's copy. `epoch` is null while there is no session. */
export interface MirrorState {
  /** The life of the session; null while there is none. */
  readonly epoch: Epoch | null
  /** Who is signed in; null for an anonymous session, and without one. */
  readonly owner: string | null
  /** The newest revision that this copy knows; 0 without a session. */
  readonly revision: number
  /** The keys that are set and that the browser may read. */
  readonly keys: Entries
}

export const emptyMirror: MirrorState = { epoch: null, owner: null, revision: 0, keys: {} }

/** What changed since a revision; `since: null` means the patch is the whole mirror. */
export interface Patch extends MirrorState {
  readonly since: number | null
  /** Names of removed keys, with the revision that removed each. */
  readonly removed: Readonly<Record<string, number>>
}

/**
 * The mirror after `patch`. Returns `mirror` itself when the patch is older or says nothing new, and
 * `gap` when the patch starts after the mirror's revision, so that only a whole one can help.
 */
export function adopt(mirror: MirrorState, patch: Patch): MirrorState | 'gap' {
  if (patch.epoch !== mirror.epoch) return patch.since === null ? toMirror(patch, patch.keys) : 'gap'
  if (patch.revision < mirror.revision) return mirror
  // A whole one of the same revision may differ: a deploy may have made a key hidden.
  if (patch.since === null) return toMirror(patch, patch.keys)
  if (patch.revision === mirror.revision) return mirror
  if (patch.since > mirror.revision) return 'gap'
  const keys: Record<string, Entry> = { ...mirror.keys }
  for (const [name, entry] of Object.entries(patch.keys)) {
    if (entry[0] > revisionOf(keys, name)) keys[name] = entry
  }
  for (const [name, revision] of Object.entries(patch.removed)) {
    if (revision > revisionOf(keys, name)) delete keys[name]
  }
  return toMirror(patch, keys)
}

/** The revision that last changed a key that is there, else 0. Safe for any name. */
export function revisionOf(keys: Entries, name: string): number {
  return entryOf(keys, name)?.[0] ?? 0
}

export function entryOf(keys: Entries, name: string): Entry | undefined {
  return Object.hasOwn(keys, name) ? keys[name] : undefined
}

function toMirror({ epoch, owner, revision }: MirrorState, keys: Entries): MirrorState {
  return { epoch, owner, revision, keys }
}
