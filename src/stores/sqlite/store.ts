// Sessions in one SQLite file, with the SQLite that is in Node. Every operation is one statement that decides by
// itself, so any number of processes of one machine may share the file.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  number,
  text,
} from '../../protocol/check-options.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import { lifeHints } from '../argument-checks.ts'
import type { Store, Unavailable } from '../store.ts'
import { checkedStore } from '../wrapped-store.ts'
import { checkPath } from './options.ts'
import { SqliteFile, type SqliteRow } from './sqlite-file.ts'

/** The options of `sqliteStore`. `path` is needed. */
export interface SqliteStoreOptions {
  /**
   * The database file, on a disk of this machine: SQLite's log does not work over a network. Its directory must exist;
   * the file is made when it is missing.
   */
  readonly path: string
  /**
   * Bytes of the file at most, from 65,536; its log (1 MB as a rule) comes on top. @default what the disk takes
   */
  readonly maxBytes?: number
  /**
   * How long an operation waits for other processes that write, without blocking this one, from 0 to 60,000.
   * @default 1000
   */
  readonly timeoutMilliseconds?: number
  /** Milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

const sqliteChecks: ChecksOf<SqliteStoreOptions> = {
  path: text,
  maxBytes: number,
  timeoutMilliseconds: number,
  clock: callback,
}
const sqliteOptions: KnownOptions = {
  checks: sqliteChecks,
  needed: ['path'],
  hints: {
    ...lifeHints,
    file: 'write path',
    filename: 'write path',
    database: 'write path, of a file',
    db: 'write path, of a file',
    client: 'write path, of a file that the store opens itself',
    dir: 'write path, of a file',
    table: 'the store has a file of its own',
    maxSize: 'write maxBytes',
    timeout: 'write timeoutMilliseconds',
    busyTimeout: 'write timeoutMilliseconds',
  },
}

/** More than an empty database takes; SQLite counts in pages. */
const minBytes = 65_536
/** Eight terabytes: no session file is larger. */
const mostBytes = 2 ** 43

/**
 * A store in an SQLite file. It opens with the first operation, and again when the file was replaced.
 * - worst case: an operation waits `timeoutMilliseconds` for its turn. SQLite runs in this thread: a write blocks it for
 *   one flush of the disk, and now and then for the move of the log into the file.
 * - what the disk or the file does not take is `unavailable`, and changes nothing.
 * @throws SessionError `invalid-option` for a path that cannot be a file, or a number out of its range
 * @example const store = sqliteStore({ path: '/var/lib/shop/sessions.sqlite' })
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  checkOptions('sqliteStore', options, sqliteOptions)
  const { maxBytes, timeoutMilliseconds = 1000, clock = systemClock } = options
  const path = checkPath(options.path)
  if (maxBytes !== undefined) checkWholeNumber('maxBytes', maxBytes, { from: minBytes, to: mostBytes })
  checkWholeNumber('timeoutMilliseconds', timeoutMilliseconds, { from: 0, to: 60_000 })
  const database = new ReopenedDatabase(path, { maxBytes, timeoutMilliseconds })

  function row(key: string, value: Uint8Array, ttlSeconds: number): SqliteRow {
    const now = clock()
    // Random rather than counted: it never repeats, even when an old copy of the file is put back.
    return { key, value, now, expires: now + ttlSeconds * 1000, version: randomUUID() }
  }

  return checkedStore({
    name: 'sqlite',
    guarantees: { compareAndSwap: 'all-processes', revocation: 'final', durability: 'disk' },
    read(key, ttlSeconds) {
      const now = clock()
      const expires = ttlSeconds === null ? null : now + ttlSeconds * 1000
      return database.attempt((file) => {
        const found = file.read({ key, now, expires })
        return found === undefined ? { kind: 'miss' } : { kind: 'hit', ...found }
      })
    },
    create(key, value, ttlSeconds) {
      const wanted = row(key, value, ttlSeconds)
      return database.attempt((file) => ({ kind: file.create(wanted) ? 'stored' : 'exists' }))
    },
    replace(key, value, { token, ttlSeconds }) {
      const wanted = row(key, value, ttlSeconds)
      return database.attempt((file) => {
        if (file.replace({ ...wanted, token })) return { kind: 'stored' }
        return { kind: file.has(wanted) ? 'conflict' : 'missing' }
      })
    },
    end(key, value, ttlSeconds) {
      const wanted = row(key, value, ttlSeconds)
      return database.attempt((file) => {
        file.put(wanted)
        return { kind: 'stored' }
      })
    },
    close: async () => database.close(),
  })
}

/** SQLite's result codes: another connection writes; no room in the file or on the disk. */
const busyCode = 5
const fullCode = 13

/** The database: opened when it is needed, opened again when it was replaced or has failed. */
class ReopenedDatabase {
  readonly #path: string
  readonly #maxBytes: number | undefined
  readonly #timeoutMilliseconds: number
  #file: SqliteFile | undefined
  #isClosed = false

  constructor(
    path: string,
    options: { readonly maxBytes: number | undefined; readonly timeoutMilliseconds: number },
  ) {
    this.#path = path
    this.#maxBytes = options.maxBytes
    this.#timeoutMilliseconds = options.timeoutMilliseconds
  }

  /** Runs one statement, again while the file is busy: one that found it busy has done nothing. */
  async attempt<Result>(run: (file: SqliteFile) => Result): Promise<Result | Unavailable> {
    const until = performance.now() + this.#timeoutMilliseconds
    for (;;) {
      try {
        return run(this.#current())
      } catch (cause) {
        const code = sqliteCode(cause)
        if (code !== busyCode || performance.now() >= until) {
          // Busy or full, the file is as good as before. After anything else it is opened anew.
          if (code !== busyCode && code !== fullCode) this.#letGo()
          return { kind: 'unavailable', cause }
        }
      }
      // Here rather than in SQLite, where all other requests would wait, too.
      await sleep(1 + Math.random() * 9)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#letGo()
  }

  #current(): SqliteFile {
    // It may be closed while an operation waits for its turn.
    if (this.#isClosed) throw new Error('The store was closed.')
    if (this.#file?.isInPlace() === false) this.#letGo()
    return (this.#file ??= new SqliteFile(this.#path, this.#maxBytes))
  }

  #letGo(): void {
    const file = this.#file
    this.#file = undefined
    try {
      file?.close()
    } catch {
      // Closing a file that is broken or gone may fail, too. Nothing more can be done about it.
    }
  }
}

function sqliteCode(cause: unknown): number | undefined {
  if (!(cause instanceof Error)) return undefined
  // `node:sqlite` puts SQLite's extended code on its errors; the type `Error` does not know it.
  const { errcode } = cause as { readonly errcode?: unknown }
  // The plain code is in the lower eight bits.
  return typeof errcode === 'number' ? errcode & 0xff : undefined
}
