// The connection to IndexedDB, for page and worker alike. Promises: a handle that died is never used again, and
// opening never hangs. The database's version always stays 1, so that no tab can block another one; formats
// are told by the documents themselves.
import { type DBSchema, type IDBPDatabase, deleteDB, openDB } from 'idb'

interface Tables extends DBSchema {
  mirror: { key: string; value: unknown }
  outbox: { key: string; value: unknown }
}
/** The database as the package idb gives it: its requests are promises. */
export type Database = IDBPDatabase<Tables>

/** Safari 14 and 18.4 in private mode never answer: after this long memory takes over. */
const openTimeoutMilliseconds = 3000
/** A dead handle is reopened this often for one operation; 97 % of real failures need one (Expensify#87844). */
const attempts = 3

/** The way to the database: opened when it is first used, and again when the handle is dead. */
export interface DatabaseConnection {
  /**
   * Runs `work`; again with a new handle, up to three times, when the old one is dead.
   * @throws what the last attempt threw
   */
  use<T>(work: (database: Database) => Promise<T>): Promise<T>
  /** Deletes the database. Resolves with false when that fails, or does not happen in time. */
  remove(): Promise<boolean>
  /** Closes the handle. The next `use` opens another one. */
  close(): void
}

/** A newer version of this library wrote the documents: this one must not touch them. */
export class NewerFormatError extends Error {}

class OpenTimeoutError extends Error {}

/** Connects to the database `name` when it is first used. */
export function connectDatabase(name: string): DatabaseConnection {
  /** One that is late is waited for again by the next `use`: what took too long once may be there by then. */
  let opened: Promise<Database> | undefined

  function forget(): void {
    opened = undefined
  }

  async function use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        opened ??= open(name, forget)
        return await work(await inTime(opened))
      } catch (error) {
        if (!(error instanceof OpenTimeoutError)) forget()
        if (attempt === attempts || isFinal(error)) throw error
      }
    }
  }

  function close(): void {
    if (opened !== undefined) closeLater(opened)
    forget()
  }

  return {
    use,
    async remove() {
      close()
      try {
        await inTime(deleteDB(name))
        return true
      } catch {
        return false
      }
    },
    close,
  }
}

/**
 * Resolves when all of the transaction is kept; rejects with the reason when nothing of it is. The promise `done` of idb
 * rejects before the reason is known, so that a full disk looks like any abort, and is tried again.
 */
export function completionOf(transaction: IDBTransaction): Promise<void> {
  const completion = new Promise<void>((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new DOMException('', 'AbortError')),
    )
  })
  // A caller that has failed before does not wait for it any more: that must be no unhandled rejection.
  completion.catch(() => undefined)
  return completion
}

/** @throws OpenTimeoutError */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new OpenTimeoutError()), openTimeoutMilliseconds)
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** A database without our tables is somebody else's mistake, or a broken one: it has nothing of ours, and is made anew. */
async function open(name: string, onLost: () => void): Promise<Database> {
  const database = await openTables(name, onLost)
  if (database.objectStoreNames.length > 0) return database
  database.close()
  await deleteDB(name)
  return openTables(name, onLost)
}

function openTables(name: string, onLost: () => void): Promise<Database> {
  return openDB<Tables>(name, 1, {
    upgrade(database) {
      database.createObjectStore('mirror')
      database.createObjectStore('outbox')
    },
    // Somebody deletes the database, or a later version needs it: holding on would block them for good.
    blocking(_current, _blocked, event) {
      onLost()
      ;(event.target as IDBDatabase).close() // A versionchange event's target is the connection (IndexedDB 3, section 2.1).
    },
    // The browser closed it: storage was cleared, or is broken.
    terminated: onLost,
  })
}

function closeLater(opening: Promise<Database>): void {
  opening.then(
    (database) => database.close(),
    // What never opened need not be closed.
    () => undefined,
  )
}

/** Waiting or opening again would change nothing. */
function isFinal(error: unknown): boolean {
  if (error instanceof NewerFormatError || error instanceof OpenTimeoutError) return true
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}
