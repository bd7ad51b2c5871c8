// What a browser keeps, as plain data: the mirror document, the outbox document, the open mutations and
// the parked outboxes of other owners. Owns their shapes; how they are stored is `storage/stored-form.ts`.
import type { Mutation, Outcome } from '../../protocol/mutation.ts'
import { format } from '../../protocol/names.ts'
import { type Epoch, type MirrorState, emptyMirror } from '../../protocol/state.ts'
import { randomToken } from './random-token.ts'

/** How the session ended. It is kept with the mirror, so that every tab and the next start can say it. */
export type Ending =
  | { readonly state: 'signed-out'; readonly reason: 'signed-out' | 'expired' | 'ended' | 'reuse' }
  | { readonly state: 'lost'; readonly keys: readonly string[] }

/** Which session a queued sign-out ends. */
export type Leaving =
  /** The session of this epoch, and only that one: a newer sign-in in the same browser stays. */
  | { readonly kind: 'session'; readonly epoch: Epoch }
  /** Whichever session the cookie names: this browser had not been told which one that is. */
  | { readonly kind: 'any' }
  /** None: the server lost the session, and has to be told that the browser took note. */
  | { readonly kind: 'lost' }

/**
 * What this browser knows of its session: the mirrored state, and how it stands with the server. `version` grows with
 * every change, so that a broadcast never puts an older document over a newer one.
 */
export interface MirrorDocument extends MirrorState {
  /** The version of wire and storage that wrote it. */
  readonly format: number
  /** Grows with every change; 0 while this browser has been told nothing. */
  readonly version: number
  /** How the last session ended; null while there is one, and before there was any. */
  readonly ending: Ending | null
  /** Counts the endings: tells an answer to a question from an earlier life, even where the epochs look alike. */
  readonly life: number
  /** A sign-out that the server has not confirmed: the first thing to send. */
  readonly leaving: Leaving | null
  /** Whether that sign-out is for all of the owner's sessions, and what the server said of it. */
  readonly everywhere?: 'wanted' | 'done' | 'refused' | undefined
  /** Local milliseconds of the last answer. Like the three below an estimate that decides when to ask, never what is true. */
  readonly notedAt: number
  /** Local milliseconds of the last refresh of the cookie. */
  readonly refreshedAt: number
  /** Local milliseconds until which the cookie need not be refreshed. */
  readonly freshUntil: number
  /** Local milliseconds at which the session ends if nothing is done. */
  readonly expiresAt: number
  /** `<id>.<key>`, from the server: encrypts the unsent changes of this owner when another one takes over. */
  readonly parking: string | null
  /** False: the session ends with the browser, and so does what is kept of it. */
  readonly persistent?: boolean
}

/** Mutations that are on their way to the server. */
export interface SealedBatch {
  /** Counts the batches of one client id, from 1. */
  readonly number: number
  /** What is sent, byte for byte, until the server has answered. */
  readonly text: string
  /** What the text says, for showing it and for settling it. */
  readonly mutations: readonly Mutation[]
}

/** What is on its way, and what became of the latest mutations. `version` grows with every change. */
export interface OutboxDocument {
  /** The version of wire and storage that wrote it. */
  readonly format: number
  /** Grows with every change. */
  readonly version: number
  /** The name under which the server remembers this browser's last batch. */
  readonly client: string
  /** Number of the last batch that was sealed. */
  readonly number: number
  /** The batch that is on its way; null for none. */
  readonly sealed: SealedBatch | null
  /** The latest outcomes by mutation id. Other tabs learn from them what became of their writes. */
  readonly settled: Readonly<Record<string, Outcome>>
}

/** A mutation that was not sealed yet. */
export interface OpenMutation {
  /** Orders the writes of all tabs; the key in IndexedDB. Ends with the name of the tab. */
  readonly stamp: string
  /** What is to be changed. */
  readonly mutation: Mutation
  /** Whose change it is: the owner that its page believed in; undefined when that page had not been told yet. */
  readonly owner: string | null | undefined
  /** Ids of the pending mutations of this key that the writer saw and wrote on top of; empty for a write without a base. */
  readonly saw: readonly string[]
}

/** The parked outbox of an owner who is not signed in now. */
export interface Parcel {
  /** The parcel's own random name, and its key in IndexedDB. */
  readonly key: string
  /** Whose it is, in words that only the server can connect with a person. */
  readonly id: string
  /** Local milliseconds when it was parked. */
  readonly at: number
  /** Ids of the mutations in it: random names, by which each tab knows which of its writes were parked. */
  readonly ids?: readonly string[]
  /** Null when `data` is not encrypted: then it is text. */
  readonly iv: Uint8Array<ArrayBuffer> | null
  /** The open mutations and the sealed batch as JSON: encrypted, or as text for an anonymous owner. */
  readonly data: ArrayBuffer | string
}

/** All that a browser keeps of its session. */
export interface LocalState {
  /** What is known of the session. */
  readonly mirror: MirrorDocument
  /** The batch on its way, and what became of the latest mutations. */
  readonly outbox: OutboxDocument
  /** Mutations that are not in a batch yet, oldest first. */
  readonly open: readonly OpenMutation[]
  /** Unsent changes of owners who are not signed in now. */
  readonly parcels: readonly Parcel[]
}

/** The document of a browser that has not been told anything yet. */
export function emptyMirrorDocument(): MirrorDocument {
  const times = { notedAt: 0, refreshedAt: 0, freshUntil: 0, expiresAt: 0 }
  const life = { ending: null, life: 0, leaving: null }
  return { format, version: 0, ...emptyMirror, ...life, ...times, parking: null }
}

/** The state of a browser that has not been told anything yet, under a new client id. */
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

/**
 * Whether nothing was ever written into a document: nobody has told this browser yet whose session this is, or its
 * storage was cleared.
 */
export function isBlank({ version }: { readonly version: number }): boolean {
  return version === 0
}

/** All mutations of who is here now that the server has not acknowledged, oldest first. */
export function pendingOf(state: LocalState): readonly Mutation[] {
  const open = state.open.filter((entry) => belongs(entry, state)).map((entry) => entry.mutation)
  return state.outbox.sealed === null ? open : [...state.outbox.sealed.mutations, ...open]
}

/**
 * Whether an open mutation belongs to who is here now. One that does not came too late to be parked with the others:
 * it is never sent and never shown. One whose writer had not been told yet belongs to whoever turns out to be here.
 */
export function belongs(entry: OpenMutation, { mirror }: LocalState): boolean {
  if (entry.owner === undefined) return true
  // A page that has not been told who is here shows nobody's.
  return !isBlank(mirror) && entry.owner === mirror.owner
}

/**
 * The version after `version`. Never below the local time, so that documents of a database that was deleted
 * and begun anew are newer than what other tabs remember of the old one.
 */
export function nextVersion(version: number): number {
  return Math.max(version + 1, Date.now())
}
