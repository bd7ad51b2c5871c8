// The connection to IndexedDB, for page and worker alike. Promises: a handle that died is never used again, and
// opening never hangs. The database's version stays 1 for ever, so that no tab can block another one; formats
// are told by the documents themselves.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'

interface Tables extends DBSchema {
  mirror: { key: string; value: unknown }
  outbox: { key: string; value: unknown }
}
export type Database = IDBPDatabase<Tables>

/** Safari 14 and 18.4 in private mode never answer: after this many milliseconds memory takes over. */
const openTimeout = 3000
/** A dead handle is reopened this often for one operation; 97 % of real failures need one (Expensify#87844). */
const attempts = 3

export interface DatabaseConnection {
  /** Runs `work`; again with a new handle, up to three times, when the old one is dead. */
  use<T>(work: (database: Database) => Promise<T>): Promise<T>
  close(): void
}

/** Connects to the database `name` when it is first used. */
export function connectDatabase(name: string): DatabaseConnection {
  let opened: Promise<Database> | undefined

  function open(): Promise<Database> {
    opened ??= openWithTimeout(name, () => {
      opened = undefined
    })
    return opened
  }

  async function use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(await open())
      } catch (error) {
        opened = undefined
        if (attempt === attempts || isFinal(error)) throw error
      }
    }
  }

  return {
    use,
    close: () => {
      void opened?.then(
        (database) => database.close(),
        () => undefined,
      )
      opened = undefined
    },
  }
}

class OpenTimeoutError extends Error {}

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
    timer = setTimeout(() => reject(new OpenTimeoutError()), openTimeout)
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

/** Waiting or opening again would change nothing. */
function isFinal(error: unknown): boolean {
  if (error instanceof NewerFormatError || error instanceof OpenTimeoutError) return true
  return error instanceof DOMException && error.name === 'QuotaExceededError'
}
