// Sessions in one SQLite file, with what Node brings. Every operation is one statement that decides by itself, so
// any number of processes on one machine may share the file.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { type SqliteFile, type SqliteRow, openSqliteFile } from './sqlite-file.ts'
import { checkNumber, checkPath } from './options.ts'
import { type Store, type Unavailable, checkKey, checkTtl, checkValueSize } from '../store.ts'

export interface SqliteStoreOptions {
  /** The database file, on a disk of this machine: SQLite's log does not work over a network. Its directory exists. */
  readonly path: string
  /** The file grows to this at most, its log (1 MB as a rule) not counted. @default what the disk takes */
  readonly maxBytes?: number
  /** How long an operation waits for other processes that write, without blocking this one. @default 1000 */
  readonly timeoutMilliseconds?: number
  /** @default the system's */
  readonly clock?: Clock
}

/** SQLite's result codes. */
const [busy, full] = [5, 13]
/** What an empty database takes is less; SQLite counts in pages. */
const minBytes = 65_536

/**
 * A store in an SQLite file. It opens with the first operation, and again when the file was replaced.
 * Worst case: an operation waits `timeoutMilliseconds` for its turn. SQLite runs in this thread: a write blocks it for
 * one flush of the disk, and now and then for the move of the log into the file. What the disk or the file does not
 * take is `unavailable`, and changes nothing.
 * @throws SessionError `invalid-option` for a path that cannot be a file, or numbers that cannot be
 * @example const store = sqliteStore({ path: '/var/lib/shop/sessions.sqlite' })
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const { maxBytes, timeoutMilliseconds = 1000, clock = systemClock } = options
  const path = checkPath(options.path)
  if (maxBytes !== undefined) checkNumber('maxBytes', maxBytes, { from: minBytes, to: 2 ** 43 })
  checkNumber('timeoutMilliseconds', timeoutMilliseconds, { from: 0, to: 60_000 })
  let file: SqliteFile | undefined
  let isClosed = false

  function current(): SqliteFile {
    if (isClosed) throw new Error('The store was closed.')
    if (file?.isInPlace() === false) letGo()
    return (file ??= openSqliteFile(path, maxBytes))
  }

  function letGo(): void {
    const open = file
    file = undefined
    open?.close()
  }

  /** Each run is one statement, and one that found the file busy has done nothing: it may be run again. */
  async function attempt<Result>(run: (file: SqliteFile) => Result): Promise<Result | Unavailable> {
    const until = performance.now() + timeoutMilliseconds
    for (;;) {
      try {
        return run(current())
      } catch (cause) {
        const code = sqliteCode(cause)
        if (code !== busy || performance.now() >= until) {
          // Somebody else writes, or there is no room: the file is as good as before. Otherwise, begin anew.
          if (code !== busy && code !== full) tryTo(letGo)
          return { kind: 'unavailable', cause }
        }
      }
      // Here rather than in SQLite, where all other requests would wait, too.
      await sleep(1 + Math.random() * 9)
    }
  }

  function row(key: string, value: Uint8Array, ttlSeconds: number): SqliteRow {
    checkKey(key)
    checkTtl(ttlSeconds)
    checkValueSize(value)
    const now = clock()
    // Random rather than counted: it never repeats, even when an old copy of the file is put back. The value is
    // copied: the caller may change the bytes while a busy file is waited for.
    return { key, value: value.slice(), now, expires: now + ttlSeconds * 1000, version: randomUUID() }
  }

  return {
    name: 'sqlite',
    guarantees: { compareAndSwap: 'all-processes', revocation: 'final', durability: 'disk' },
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      const now = clock()
      const expires = ttlSeconds === null ? null : now + ttlSeconds * 1000
      return attempt((open) => {
        const found = open.read({ key, now, expires })
        return found === undefined ? { kind: 'miss' } : { kind: 'hit', ...found }
      })
    },
    async create(key, value, ttlSeconds) {
      const wanted = row(key, value, ttlSeconds)
      return attempt((open) => ({ kind: open.create(wanted) ? 'stored' : 'exists' }))
    },
    async replace(key, value, { token, ttlSeconds }) {
      const wanted = row(key, value, ttlSeconds)
      return attempt((open) => {
        if (open.replace({ ...wanted, token })) return { kind: 'stored' }
        return { kind: open.has(wanted) ? 'conflict' : 'missing' }
      })
    },
    async end(key, value, ttlSeconds) {
      const wanted = row(key, value, ttlSeconds)
      return attempt((open) => {
        open.put(wanted)
        return { kind: 'stored' }
      })
    },
    async close() {
      isClosed = true
      tryTo(letGo)
    },
  }
}

function sqliteCode(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !('errcode' in cause) || typeof cause.errcode !== 'number')
    return undefined
  // SQLite adds details in the upper bits.
  return cause.errcode & 0xff
}

/** Closing what is broken may fail, too; there is nothing left to do about it. */
function tryTo(run: () => void): void {
  try {
    run()
  } catch {
    // Said above.
  }
}
