// The storage in IndexedDB. Promises that a transaction awaits nothing but IndexedDB, and that its changes are kept
// all or not at all.
import { unwrap } from 'idb'
import { type Database, NewerFormatError, completionOf, connectDatabase } from './database-connection.ts'
import { type LocalState, type OpenMutation, type Parcel, emptyLocalState } from '../steps/local-state.ts'
import {
  isNewerFormat,
  parseMirrorDocument,
  parseOpenMutations,
  parseOutboxDocument,
  parseParcels,
  toStoredMirror,
} from './stored-form.ts'
import type { StorageStep, Storage } from './storage.ts'

type Durable = 'relaxed' | 'strict'

const openPrefix = 'open:'
const parkedPrefix = 'parked:'
const after = '\uffff'

/**
 * The storage in the database `name`, which is opened when it is first used. Its methods reject with what IndexedDB throws,
 * once reopening did not help; then the caller goes on in memory.
 */
export function databaseStorage(name: string): Storage {
  const { use, close } = connectDatabase(name)
  return {
    durability: 'disk',
    load: () => use((database) => read(database)),
    write: (added, replaces) => use((database) => write(database, added, replaces)),
    transact: (step, durable) => use((database) => transact(database, step, durable)),
    close,
  }
}

async function read(database: Database): Promise<LocalState> {
  const transaction = database.transaction(['mirror', 'outbox'])
  return readAll(transaction.objectStore('mirror'), transaction.objectStore('outbox'))
}

async function write(database: Database, added: OpenMutation, replaces: readonly string[]): Promise<void> {
  const transaction = database.transaction('outbox', 'readwrite', { durability: 'relaxed' })
  for (const stamp of replaces) reported(transaction.store.delete(openPrefix + stamp))
  reported(transaction.store.put(added, openPrefix + added.stamp))
  reported(transaction.done)
  // Without commit() a page that closes now loses the write: 20 of 20 lost without, 20 of 20 kept with it.
  transaction.commit()
  await completionOf(unwrap(transaction))
}

async function transact(database: Database, step: StorageStep, durability: Durable): Promise<LocalState> {
  const transaction = database.transaction(['mirror', 'outbox'], 'readwrite', { durability })
  reported(transaction.done)
  const completion = completionOf(unwrap(transaction))
  const mirror = transaction.objectStore('mirror')
  const outbox = transaction.objectStore('outbox')
  try {
    const before = await readAll(mirror, outbox)
    const next = step(before)
    // Only what is different is written.
    if (next.mirror !== before.mirror) reported(mirror.put(toStoredMirror(next.mirror), 'mirror'))
    if (next.outbox !== before.outbox) reported(outbox.put(next.outbox, 'outbox'))
    for (const [key, value] of difference(before, next))
      reported(value === undefined ? outbox.delete(key) : outbox.put(value, key))
    await completion
    return next
  } catch (error) {
    if (!(error instanceof DOMException)) transaction.abort()
    throw error
  }
}

/** A request that fails aborts its transaction, whose completion rejects: the failure is told there. */
function reported(request: Promise<unknown>): void {
  request.catch(() => undefined)
}

/** The puts, and deletes (undefined), that turn the open mutations and parcels of `before` into those of `next`. */
function difference(before: LocalState, next: LocalState): Map<string, OpenMutation | Parcel | undefined> {
  const result = new Map<string, OpenMutation | Parcel | undefined>()
  const old = keyed(before)
  const now = keyed(next)
  for (const key of old.keys()) if (!now.has(key)) result.set(key, undefined)
  for (const [key, value] of now) if (old.get(key) !== value) result.set(key, value)
  return result
}

function keyed({ open, parcels }: LocalState): Map<string, OpenMutation | Parcel> {
  const result = new Map<string, OpenMutation | Parcel>()
  for (const entry of open) result.set(openPrefix + entry.stamp, entry)
  for (const parcel of parcels) result.set(parkedPrefix + parcel.key, parcel)
  return result
}

/** What is read of one of the two tables. */
interface ReadableTable {
  get(key: string): Promise<unknown>
  getAll(range: IDBKeyRange): Promise<unknown[]>
}

async function readAll(mirror: ReadableTable, outbox: ReadableTable): Promise<LocalState> {
  const allBehind = (prefix: string): Promise<unknown[]> =>
    outbox.getAll(IDBKeyRange.bound(prefix, prefix + after))
  const [mirrorValue, outboxValue, open, parcels] = await Promise.all([
    mirror.get('mirror'),
    outbox.get('outbox'),
    allBehind(openPrefix),
    allBehind(parkedPrefix),
  ])
  if (isNewerFormat(mirrorValue) || isNewerFormat(outboxValue)) {
    throw new NewerFormatError('A newer version of session-mirror has been here: reload the page.')
  }
  const empty = emptyLocalState()
  return {
    mirror: parseMirrorDocument(mirrorValue) ?? empty.mirror,
    outbox: parseOutboxDocument(outboxValue) ?? empty.outbox,
    open: parseOpenMutations(open),
    parcels: parseParcels(parcels),
  }
}
