// IndexedDB storage, for page and worker alike. Promises: a handle that died is never used again, opening
// never hangs, and a transaction awaits nothing but IndexedDB. Its version stays 1 for ever, so that no
// tab can block another one; formats are told by the documents themselves.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import {
  type LocalState,
  type OpenMutation,
  type Parcel,
  emptyLocalState,
  isNewerFormat,
  parseMirrorDocument,
  parseOpenMutation,
  parseOutboxDocument,
  parseParcel,
} from './local.ts'
import type { Step, Storage } from './storage.ts'

interface Tables extends DBSchema {
  mirror: { key: string; value: unknown }
  outbox: { key: string; value: unknown }
}
type Database = IDBPDatabase<Tables>
type Durable = 'relaxed' | 'strict'

/** Safari 14 and 18.4 in private mode never answer: after this many milliseconds memory takes over. */
const openTimeout = 3000
/** A dead handle is reopened this often for one operation; 97 % of real failures need one (Expensify#87844). */
const attempts = 3

const openPrefix = 'open:'
const parkedPrefix = 'parked:'
const after = '\uffff'

/**
 * The storage named `name`.
 * @throws what IndexedDB throws, once reopening did not help; then the caller goes on in memory.
 */
export function databaseStorage(name: string): Storage {
  let opened: Promise<Database> | undefined

  function open(): Promise<Database> {
    opened ??= openWithTimeout(name, () => {
      opened = undefined
    })
    return opened
  }

  async function withDatabase<T>(use: (database: Database) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await use(await open())
      } catch (error) {
        opened = undefined
        if (attempt === attempts || error instanceof NewerFormatError || isQuota(error)) throw error
      }
    }
  }

  return {
    durability: 'disk',
    load: () => withDatabase((database) => read(database)),
    write: (added, replaces) => withDatabase((database) => write(database, added, replaces)),
    transact: (step, durable) => withDatabase((database) => transact(database, step, durable)),
    close: () => {
      void opened?.then(
        (database) => database.close(),
        () => undefined,
      )
      opened = undefined
    },
  }
}

/** A newer version of this library wrote the documents: this one must not touch them. */
export class NewerFormatError extends Error {}

async function openWithTimeout(name: string, onLost: () => void): Promise<Database> {
  const opening = openDB<Tables>(name, 1, {
    upgrade: (database) => {
      database.createObjectStore('mirror')
      database.createObjectStore('outbox')
    },
    // Somebody deletes the database, or a later version needs it: holding on would block them for ever.
    blocking: (_current, _blocked, event) => {
      onLost()
      ;(event.target as IDBDatabase).close() // A versionchange event's target is the connection (IndexedDB 3, section 2.1).
    },
    terminated: onLost,
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('IndexedDB did not open in time.')), openTimeout)
  })
  try {
    return await Promise.race([opening, timeout])
  } catch (error) {
    // A late success must not stay open unseen.
    opening.then(
      (database) => database.close(),
      () => undefined,
    )
    throw error
  } finally {
    clearTimeout(timer)
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

async function transact(database: Database, step: Step, durability: Durable): Promise<LocalState> {
  const transaction = database.transaction(['mirror', 'outbox'], 'readwrite', { durability })
  const mirror = transaction.objectStore('mirror')
  const outbox = transaction.objectStore('outbox')
  try {
    const before = await readAll(mirror, outbox)
    const next = step(before)
    if (next.mirror !== before.mirror) void mirror.put(next.mirror, 'mirror').catch(ignoreAborted)
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
  for (const parcel of parcels) result.set(parkedPrefix + parcel.id, parcel)
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

function isQuota(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}
