// What stands in IndexedDB: pages and workers of other versions read it, so its form is spelled out here.
import { describe, expect, test } from 'vitest'
import { format } from '../../../src/protocol/names.ts'
import type { Epoch } from '../../../src/protocol/state.ts'
import { type Leaving, emptyLocalState, emptyMirrorDocument } from '../../../src/mirror/steps/local-state.ts'
import {
  parseMirrorDocument,
  parseOpenMutations,
  parseOutboxDocument,
  parseParcels,
  toStoredMirror,
} from '../../../src/mirror/storage/stored-form.ts'

const epoch = 'epoch-of-ada' as Epoch
const mirror = {
  format,
  version: 5,
  mirror: { epoch, owner: 'ada', revision: 3, keys: { note: [3, 'of ada'] } },
  ending: null,
  life: 1,
  leaving: null as string | null,
  notedAt: 1,
  refreshedAt: 2,
  freshUntil: 3,
  expiresAt: 4,
  parking: null,
}
const mutation = { id: 'mutation-1', kind: 'set', key: 'note', value: 'x' }
const outbox = {
  format,
  version: 5,
  client: 'client-one',
  number: 1,
  sealed: { number: 1, text: '{}', mutations: [mutation] },
  settled: { 'mutation-0': { code: 'ok', revision: 2 } },
}
const entry = { stamp: '000000001.tab', mutation, owner: null, saw: [] }
const parcel = { key: 'parcel-one', id: 'anonymous', at: 1, ids: ['mutation-1'], iv: null, data: '{}' }

/** Copies of `document`, each with one member that is of no type that a document has. */
const spoiled = (document: object): readonly (readonly [string, object])[] =>
  Object.keys(document).map((name) => [name, { ...document, [name]: () => undefined }])

describe('a mirror document', () => {
  test('a stored document comes back flat, and is stored again as it was', () => {
    const document = parseMirrorDocument(mirror)
    expect(document).toMatchObject({ epoch, owner: 'ada', revision: 3, leaving: null })
    expect(document && toStoredMirror(document)).toEqual(mirror)
  })

  test.each<[string | null, Leaving | null]>([
    [null, null],
    [epoch, { kind: 'session', epoch }],
    ['any-session', { kind: 'any' }],
    ['acknowledge', { kind: 'lost' }],
  ])(
    'a document with the queued sign-out %j says which session that ends, and is stored as one string',
    (text, leaving) => {
      const document = parseMirrorDocument({ ...mirror, leaving: text })
      expect(document?.leaving).toEqual(leaving)
      expect(document && toStoredMirror(document).leaving).toBe(text)
    },
  )

  test.each(spoiled(mirror))('a document whose %s is malformed is none', (_name, document) => {
    expect(parseMirrorDocument(document)).toBeUndefined()
  })

  test.each(spoiled(mirror.mirror))(
    'a document whose mirrored state has a malformed %s is none',
    (_name, state) => {
      expect(parseMirrorDocument({ ...mirror, mirror: state })).toBeUndefined()
    },
  )

  test('the document of a browser that was told nothing yet survives being stored', () => {
    expect(parseMirrorDocument(toStoredMirror(emptyMirrorDocument()))).toEqual(emptyMirrorDocument())
  })
})

describe('an outbox', () => {
  test('a stored outbox comes back as it was', () => {
    expect(parseOutboxDocument(outbox)).toEqual(outbox)
    const { outbox: empty } = emptyLocalState()
    expect(parseOutboxDocument(empty)).toEqual(empty)
  })

  test.each(spoiled(outbox))('an outbox whose %s is malformed is none', (_name, document) => {
    expect(parseOutboxDocument(document)).toBeUndefined()
  })

  test.each(spoiled({ id: 'mutation-1', kind: 'increment', key: 'n', by: 1 }))(
    'an outbox whose sealed mutation has a malformed %s is none',
    (_name, broken) => {
      const sealed = { ...outbox.sealed, mutations: [broken] }
      expect(parseOutboxDocument({ ...outbox, sealed })).toBeUndefined()
    },
  )
})

describe('open mutations and parcels', () => {
  test('open mutations and parcels come back as they were stored, also without members that older code did not write', () => {
    const { owner: _owner, ...unknown } = entry
    const { ids: _ids, ...older } = parcel
    expect(parseOpenMutations([entry, unknown])).toEqual([entry, unknown])
    expect(parseParcels([parcel, older])).toEqual([parcel, older])
  })

  test('an open mutation or a parcel with one malformed member is left out, and the others stay', () => {
    expect(parseOpenMutations([...spoiled(entry).map(([, one]) => one), entry])).toEqual([entry])
    expect(parseParcels([...spoiled(parcel).map(([, one]) => one), parcel])).toEqual([parcel])
  })
})
