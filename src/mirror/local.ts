// What a browser keeps, as plain data: the mirror document, the outbox document, the open mutations and
// the parked outboxes of other owners. Owns their shapes and the parsers for what IndexedDB gives back.
import { isObject } from '../protocol/json.ts'
import type { Mutation, Outcome } from '../protocol/mutation.ts'
import { format } from '../protocol/names.ts'
import { type Epoch, type Mirror, emptyMirror } from '../protocol/state.ts'
import { randomToken } from './token.ts'

/** How the session ended, kept with the mirror so that every tab and the next start can say it. */
export type Ending =
  | { readonly state: 'signed-out'; readonly reason: 'signed-out' | 'expired' | 'ended' | 'reuse' }
  | { readonly state: 'lost'; readonly keys: readonly string[] }

/** `version` grows with every change, so that a broadcast never puts an older document over a newer one. */
export interface MirrorDocument {
  readonly format: number
  readonly version: number
  readonly mirror: Mirror
  readonly ending: Ending | null
  /** Counts the endings: tells an answer to a question from an earlier life, even where the epochs look alike. */
  readonly life: number
  /** A sign-out that the server has not confirmed: the first thing to send. */
  readonly leaving: Epoch | null
  /** Whether that sign-out is for all of the owner's sessions, and what the server said of it. */
  readonly everywhere?: 'wanted' | 'done' | 'refused' | undefined
  /** Local milliseconds; estimates that only decide when to ask the server, never what is true. */
  readonly notedAt: number
  readonly refreshedAt: number
  readonly freshUntil: number
  readonly expiresAt: number
  readonly parking: string | null
  /** False: the session ends with the browser, and so does what is kept of it. */
  readonly persistent?: boolean
}

/** Mutations on their way: `text` is what is sent, byte for byte, until the server has answered. */
export interface Sealed {
  readonly number: number
  readonly text: string
  readonly mutations: readonly Mutation[]
}

export interface OutboxDocument {
  readonly format: number
  readonly version: number
  readonly client: string
  /** Number of the last batch that was sealed. */
  readonly number: number
  readonly sealed: Sealed | null
  /** The latest outcomes by mutation id: how other tabs learn what became of theirs. */
  readonly settled: Readonly<Record<string, Outcome>>
}

/** An open mutation; `stamp` orders the writes of all tabs and is its key in IndexedDB. */
export interface OpenMutation {
  readonly stamp: string
  readonly mutation: Mutation
  /** Whose change it is: who the writer's page believed was here. Undefined: it had not been told yet. */
  readonly owner: string | null | undefined
  /** Ids of the pending mutations of this key that the writer saw, and wrote on top of. */
  readonly saw: readonly string[]
}

/** The unsent outbox of an owner who is not signed in now. `iv` is there when `data` is encrypted. */
export interface Parcel {
  readonly key: string
  /** Whose it is, in words that only the server can connect with a person. */
  readonly id: string
  readonly at: number
  /** Of the mutations in it: random names, by which each tab knows which of its writes were parked. */
  readonly ids?: readonly string[]
  readonly iv: Uint8Array<ArrayBuffer> | null
  readonly data: ArrayBuffer | string
}

export interface LocalState {
  readonly mirror: MirrorDocument
  readonly outbox: OutboxDocument
  readonly open: readonly OpenMutation[]
  readonly parcels: readonly Parcel[]
}

export function emptyMirrorDocument(): MirrorDocument {
  const times = { notedAt: 0, refreshedAt: 0, freshUntil: 0, expiresAt: 0 }
  const life = { ending: null, life: 0, leaving: null }
  return { format, version: 0, mirror: emptyMirror, ...life, ...times, parking: null }
}

export function emptyLocalState(): LocalState {
  const outbox = {
    format,
    version: 0,
    client: randomToken(),
    number: 0,
    sealed: null,
    settled: {},
  }
  return { mirror: emptyMirrorDocument(), outbox, open: [], parcels: [] }
}

/** All mutations of who is here now that the server has not acknowledged, oldest first. */
export function pendingOf(state: LocalState): readonly Mutation[] {
  const open = state.open.filter((entry) => belongs(entry, state)).map((entry) => entry.mutation)
  return state.outbox.sealed === null ? open : [...state.outbox.sealed.mutations, ...open]
}

/**
 * Whether an open mutation is of who is here now. One that is not came too late to be parked with the others:
 * it is never sent and never shown. One whose writer had not been told yet joins whoever it turns out to be.
 */
export function belongs(entry: OpenMutation, { mirror }: LocalState): boolean {
  if (entry.owner === undefined) return true
  // A page that has not been told who is here shows nobody's.
  return mirror.version > 0 && entry.owner === mirror.mirror.owner
}

/**
 * The version after `version`. Never below the local time, so that documents of a database that was deleted
 * and begun anew are newer than what other tabs remember of the old one.
 */
export function nextVersion(version: number): number {
  return Math.max(version + 1, Date.now())
}

/** A document from IndexedDB or another tab, or undefined when it is not one of this format. */
export function parseMirrorDocument(value: unknown): MirrorDocument | undefined {
  if (!isDocument(value) || !isObject(value['mirror']) || !isObject(value['mirror']['keys'])) return undefined
  return value as unknown as MirrorDocument // Written by this module only; format and the nested shape were checked.
}

export function parseOutboxDocument(value: unknown): OutboxDocument | undefined {
  if (!isDocument(value) || typeof value['client'] !== 'string' || !isObject(value['settled']))
    return undefined
  return value as unknown as OutboxDocument // As above.
}

export function parseOpenMutation(value: unknown): OpenMutation | undefined {
  if (!isObject(value) || typeof value['stamp'] !== 'string' || !isObject(value['mutation'])) return undefined
  if (!Array.isArray(value['saw'])) return undefined
  return typeof value['mutation']['id'] === 'string' ? (value as unknown as OpenMutation) : undefined // As above.
}

export function parseParcel(value: unknown): Parcel | undefined {
  if (!isObject(value) || typeof value['key'] !== 'string' || typeof value['at'] !== 'number')
    return undefined
  return value as unknown as Parcel // As above.
}

/** Whether newer code than this wrote the document: then this code must not write over it. */
export function isNewerFormat(value: unknown): boolean {
  return isObject(value) && typeof value['format'] === 'number' && value['format'] > format
}

function isDocument(value: unknown): value is Record<string, unknown> {
  return isObject(value) && value['format'] === format && typeof value['version'] === 'number'
}
