// The connection to IndexedDB, for page and worker alike. Promises: a handle that died is never used again, and
// opening never hangs. The database's version always stays 1, so that no tab can block another one; formats
// are told by the documents themselves.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'

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
  /** Closes the handle. The next `use` opens another one. */
  close(): void
}

/** A newer version of this library wrote the documents: this one must not touch them. */
export class NewerFormatError extends Error {}

class OpenTimeoutError extends Error {}

/** Connects to the database `name` when it is first used. */
export function connectDatabase(name: string): DatabaseConnection {
  let opened: Promise<Database> | undefined

  function forget(): void {
    opened = undefined
  }

  async function use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        opened ??= openInTime(name, forget)
        return await work(await opened)
      } catch (error) {
        forget()
        if (attempt === attempts || isFinal(error)) throw error
      }
    }
  }

  return {
    use,
    close() {
      if (opened !== undefined) closeLater(opened)
      forget()
    },
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

async function openInTime(name: string, onLost: () => void): Promise<Database> {
  const opening = open(name, onLost)
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new OpenTimeoutError()), openTimeoutMilliseconds)
  })
  try {
    return await Promise.race([opening, timeout])
  } catch (error) {
    // A late success must not stay open unseen.
    closeLater(opening)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function open(name: string, onLost: () => void): Promise<Database> {
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
