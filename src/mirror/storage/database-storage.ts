// The storage in IndexedDB. Promises that a transaction awaits nothing but IndexedDB, and that its changes are kept
// all or not at all.
import { unwrap } from 'idb'
import {
  type Database,
  type DatabaseConnection,
  NewerFormatError,
  completionOf,
  connectDatabase,
} from './database-connection.ts'
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
  const { use, remove, close } = connectDatabase(name)
  return {
    durability: 'disk',
    load: () => use((database) => read(database)),
    write: writesTogether(use),
    transact: (step, durable) => use((database) => transact(database, step, durable)),
    clear: remove,
    close,
  }
}

async function read(database: Database): Promise<LocalState> {
  const transaction = database.transaction(['mirror', 'outbox'])
  return readAll(transaction.objectStore('mirror'), transaction.objectStore('outbox'))
}

/** What is to stand under each key of the outbox's table; undefined for nothing. */
type Changes = Map<string, OpenMutation | Parcel | undefined>

/** All writes of one task in one transaction: a page that closes keeps the one that it has opened, and loses those behind it. */
function writesTogether(use: DatabaseConnection['use']): Storage['write'] {
  let collecting: { readonly changes: Changes; readonly kept: Promise<void> } | undefined

  function collect(): NonNullable<typeof collecting> {
    const changes: Changes = new Map()
    const end = (): void => {
      if (collecting?.changes === changes) collecting = undefined
    }
    const work = (database: Database): Promise<void> => {
      end()
      return write(database, changes)
    }
    return { changes, kept: use(work).finally(end) }
  }

  return (added, replaces) => {
    collecting ??= collect()
    for (const stamp of replaces) collecting.changes.set(openPrefix + stamp, undefined)
    collecting.changes.set(openPrefix + added.stamp, added)
    return collecting.kept
  }
}

async function write(database: Database, changes: Changes): Promise<void> {
  const transaction = database.transaction('outbox', 'readwrite', { durability: 'relaxed' })
  apply(transaction.store, changes)
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
    apply(outbox, difference(before, next))
    await completion
    return next
  } catch (error) {
    if (!(error instanceof DOMException)) transaction.abort()
    throw error
  }
}

interface WritableTable {
  put(value: unknown, key: string): Promise<unknown>
  delete(key: string): Promise<unknown>
}

function apply(outbox: WritableTable, changes: Changes): void {
  for (const [key, value] of changes)
    reported(value === undefined ? outbox.delete(key) : outbox.put(value, key))
}

/** A request that fails aborts its transaction, whose completion rejects: the failure is told there. */
function reported(request: Promise<unknown>): void {
  request.catch(() => undefined)
}

/** The puts, and deletes (undefined), that turn the open mutations and parcels of `before` into those of `next`. */
function difference(before: LocalState, next: LocalState): Changes {
  const result: Changes = new Map()
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
