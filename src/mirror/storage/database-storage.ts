// The storage in IndexedDB. Promises that a transaction awaits nothing but IndexedDB, and that its changes are kept
// all or not at all.
import { NewerFormatError, completionOf, connectDatabase, resultOf } from './database-connection.ts'
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

const tables = ['mirror', 'outbox']
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

async function read(database: IDBDatabase): Promise<LocalState> {
  return readAll(database.transaction(tables))
}

async function write(database: IDBDatabase, added: OpenMutation, replaces: readonly string[]): Promise<void> {
  const transaction = database.transaction('outbox', 'readwrite', { durability: 'relaxed' })
  const outbox = transaction.objectStore('outbox')
  for (const stamp of replaces) outbox.delete(openPrefix + stamp)
  outbox.put(added, openPrefix + added.stamp)
  // Without commit() a page that closes now loses the write: 20 of 20 lost without, 20 of 20 kept with it.
  transaction.commit()
  await completionOf(transaction)
}

async function transact(database: IDBDatabase, step: StorageStep, durability: Durable): Promise<LocalState> {
  const transaction = database.transaction(tables, 'readwrite', { durability })
  const completion = completionOf(transaction)
  try {
    const before = await readAll(transaction)
    const next = step(before)
    keep(transaction, before, next)
    await completion
    return next
  } catch (error) {
    if (!(error instanceof DOMException)) transaction.abort()
    throw error
  }
}

/** Writes what is different. A request that fails aborts the transaction, whose completion rejects with the reason. */
function keep(transaction: IDBTransaction, before: LocalState, next: LocalState): void {
  const outbox = transaction.objectStore('outbox')
  if (next.mirror !== before.mirror)
    transaction.objectStore('mirror').put(toStoredMirror(next.mirror), 'mirror')
  if (next.outbox !== before.outbox) outbox.put(next.outbox, 'outbox')
  for (const [key, value] of difference(before, next)) {
    if (value === undefined) outbox.delete(key)
    else outbox.put(value, key)
  }
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

async function readAll(transaction: IDBTransaction): Promise<LocalState> {
  const outbox = transaction.objectStore('outbox')
  const allBehind = (prefix: string): Promise<unknown[]> =>
    resultOf(outbox.getAll(IDBKeyRange.bound(prefix, prefix + after)))
  const [mirrorValue, outboxValue, open, parcels] = await Promise.all([
    resultOf<unknown>(transaction.objectStore('mirror').get('mirror')),
    resultOf<unknown>(outbox.get('outbox')),
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
