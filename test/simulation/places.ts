// The oracle's own account of the server's side: what each write to the store changes, and whether that is exactly
// what the batches in it say. Knows nothing of how the server does it.
import type { Profile } from './browser.ts'
import { numberOf } from './schema.ts'
import {
  type Memo,
  type Step,
  type StoredRecord,
  type ToldMutation,
  checkStep,
  wordsIn,
  writeOf,
} from './step.ts'

/** One session as it is stored now. */
export interface Place {
  readonly record: StoredRecord
  /** Ids of the mutations that were applied to it, or to what it goes on from. */
  readonly applied: ReadonlySet<string>
  /** Numbers of the writes that these carried out. */
  readonly writes: ReadonlySet<number>
}

/** What the server said of a batch: one code for each mutation, and the session that it is in; null for none. */
interface BatchAnswer {
  readonly codes: readonly string[]
  readonly epoch: string | null
}

export interface Places {
  /** The session that is stored under a key; undefined when none is. */
  readonly all: ReadonlyMap<string, Place>
  /** Numbers of the writes that were applied to some session, and that were refused by one. */
  readonly applied: ReadonlySet<number>
  readonly refused: ReadonlySet<number>
  /** Numbers of the writes that a batch took back itself: an empty session stays empty then, and nothing is stored. */
  readonly undone: ReadonlySet<number>
  /** Whether a session held this word at some time, or refused a write that did. */
  wasSeen(word: string): boolean
  /** A browser was copied: what it has written so far may be applied twice, because nobody can know it again. */
  forgive(): void
  hashed(hash: string, text: string): void
  wrote(key: string, value: string | undefined): void
  /** Of an empty session nothing is stored, so that only the answer tells of a refusal, and of what a batch took back. */
  answered(batch: string, answer: BatchAnswer): void
}

type Complain = (text: string) => void

/** `newestWrite` is the number of the last write that was made. */
export function createPlaces(complain: Complain, newestWrite: () => number): Places {
  const places = new Map<string, Place>()
  /** All that were ever stored, by the memos that they hold, or by epoch while there are none. */
  const history = new Map<string, readonly Place[]>()
  const texts = new Map<string, string>()
  const applied = new Set<number>()
  const refused = new Set<number>()
  const undone = new Set<number>()
  const seen = new Set<string>()
  let lastForgiven = 0

  /** With all that its writer had put there before. */
  function refuse(mutation: ToldMutation): void {
    refused.add(writeOf(mutation))
    for (const text of wordsIn(mutation.value)) seen.add(text)
  }

  function wrote(key: string, value: string | undefined): void {
    const stored = key.startsWith('sm1:') && value !== undefined ? parse(value) : undefined
    const here = places.get(key)
    if (stored === undefined) {
      places.delete(key)
      return
    }
    checkOwner(stored, complain)
    const before = here ?? predecessorOf(stored)
    const batches = newBatches(stored, before)
    const ids = new Set(before?.applied)
    const numbers = new Set(before?.writes)
    for (const { mutation, code } of batches.flat()) {
      const number = writeOf(mutation)
      if (code !== 'ok') {
        refuse(mutation)
        continue
      }
      applied.add(number)
      if (ids.has(mutation.id) && number > lastForgiven)
        complain(`applied twice: ${mutation.kind} ${mutation.key} of write ${number}`)
      ids.add(mutation.id)
      numbers.add(number)
    }
    if (before !== undefined) checkStep(before.record, stored, { batches, complain })
    for (const text of wordsIn(stored.keys)) seen.add(text)
    // Not of lists: an update may go out as a part of a later one.
    for (const text of wordsIn([stored.keys['note'], stored.keys['strict'], stored.keys['picky']]))
      if (refused.has(numberOf(text)) && !applied.has(numberOf(text))) complain(`refused, but there: ${text}`)
    const place = { record: stored, applied: ids, writes: numbers }
    places.set(key, place)
    remember(place)
  }

  /**
   * A session that got another id, or another life of the same owner's, goes on from what it was when that was read.
   * Several are made when others write meanwhile; only the one that was made from the last state may take its place.
   */
  function predecessorOf(record: StoredRecord): Place | undefined {
    const { epoch, revision, clients } = record
    const all = history.get(nameOf(record)) ?? []
    if (clients.length === 0) return all.findLast((place) => place.record.revision === revision)
    return all.findLast((place) =>
      place.record.epoch === epoch
        ? place.record.revision === revision
        : place.record.revision < revision && stepsWell(place.record, record),
    )
  }

  function remember(place: Place): void {
    const name = nameOf(place.record)
    history.set(name, [...(history.get(name) ?? []), place])
  }

  function newBatches(record: StoredRecord, before: Place | undefined): readonly Step[][] {
    const fresh = record.clients.filter((memo) => before?.record.clients.some(isSame(memo)) !== true)
    return fresh.map((memo) => {
      const { mutations = [] } = JSON.parse(texts.get(memo.hash) ?? '{}') as { mutations?: ToldMutation[] }
      if (mutations.length === 0) complain('a memo of a batch that nobody sent')
      return mutations.map((mutation, index) => ({ mutation, code: memo.outcomes[index]?.code ?? 'none' }))
    })
  }

  return {
    all: places,
    applied,
    refused,
    undone,
    wasSeen: (text) => seen.has(text),
    forgive() {
      lastForgiven = newestWrite()
    },
    hashed(hash, text) {
      if (!texts.has(hash)) texts.set(hash, text)
    },
    wrote,
    answered(batch, { codes, epoch }) {
      const { mutations } = JSON.parse(batch) as { mutations: readonly ToldMutation[] }
      for (const [index, mutation] of mutations.entries()) if (codes[index] !== 'ok') refuse(mutation)
      const isTakenBack = mutations.every(
        ({ key }) => mutations.findLast((last) => last.key === key)?.kind === 'remove',
      )
      if (epoch === null && isTakenBack) for (const mutation of mutations) undone.add(writeOf(mutation))
    },
  }
}

/** Memos name the batches that a session has seen; without any, the session itself has to. */
function nameOf({ clients, epoch }: StoredRecord): string {
  return clients.length > 0 ? JSON.stringify(clients) : epoch
}

function stepsWell(before: StoredRecord, after: StoredRecord): boolean {
  let isWell = true
  checkStep(before, after, { batches: [], complain: () => (isWell = false) })
  return isWell
}

/** Whose words may stand where `owner` is: theirs, and what a page wrote that had not been told yet. */
export function isForeign(text: string, owner: string | null): boolean {
  const [tag] = text.split('#')
  return tag !== (owner ?? 'anon') && tag !== 'early'
}

interface Documents {
  readonly mirror: { readonly owner: string | null; readonly epoch: string | null }
}

/** What a browser believes, as its disk has it. */
export function mirrorOnDisk({ realm: { disk } }: Profile): Documents['mirror'] {
  const document = disk.tables.get('mirror')?.get('mirror') as Documents | undefined // Written by the SDK.
  return document?.mirror ?? { owner: null, epoch: null }
}

export function ownerOnDisk(profile: Profile): string | null {
  return mirrorOnDisk(profile).owner
}

function checkOwner({ keys, owner }: StoredRecord, complain: Complain): void {
  for (const text of wordsIn(keys))
    if (isForeign(text, owner)) complain(`${text} in a session of ${owner ?? 'nobody'}`)
}

function isSame(memo: Memo) {
  return (other: Memo): boolean =>
    other.client === memo.client && other.number === memo.number && other.hash === memo.hash
}

/** The record of a live session, or undefined for a pointer or a tombstone. */
function parse(text: string): StoredRecord | undefined {
  const stored = JSON.parse(text.slice(text.indexOf('{'))) as { kind: string; record?: StoredRecord }
  return stored.kind === 'live' ? stored.record : undefined
}
