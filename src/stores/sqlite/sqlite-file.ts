// One SQLite file and its prepared statements. Everything here throws what SQLite throws.
import { closeSync, openSync, statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

export interface SqliteRow {
  readonly key: string
  readonly value: Uint8Array
  readonly version: string
  readonly now: number
  readonly expires: number
}

export interface SqliteFile {
  /** Whether the file that is open is the one that has the name: a deleted one takes writes, and loses them. */
  isInPlace(): boolean
  read(
    row: Pick<SqliteRow, 'key' | 'now'> & { readonly expires: number | null },
  ): { readonly value: Uint8Array; readonly token: string } | undefined
  has(row: Pick<SqliteRow, 'key' | 'now'>): boolean
  create(row: SqliteRow): boolean
  replace(row: SqliteRow & { readonly token: string }): boolean
  put(row: SqliteRow): void
  close(): void
}

/** A lifetime that would move by less stays as it is: reading writes at most once a second for a session. */
const touchAfter = 1000
/** Milliseconds in which SQLite waits for another process, and this thread with it: what one write takes, or two. */
const waitInside = 5
/** Pages of the log before SQLite moves them into the file, within somebody's write: few, for a short pause. */
const logPages = 250
/** Rows that are removed with each new one: more than one, so that sweeping is faster than storing. */
const sweepStep = 4

const schema = `
  CREATE TABLE IF NOT EXISTS session_mirror (
    key TEXT PRIMARY KEY, version TEXT NOT NULL, expires INTEGER NOT NULL, value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS session_mirror_expires ON session_mirror (expires);
`
const conflict =
  'ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, value = excluded.value'
const insert = `INSERT INTO session_mirror (key, version, expires, value) VALUES (?, ?, ?, ?) ${conflict}`

/**
 * Opens the file, and makes it when there is none, readable by its owner alone.
 * @throws what SQLite or the file system throws
 */
export function openSqliteFile(path: string, maxBytes: number | undefined): SqliteFile {
  // SQLite gives its log the rights of this file.
  closeSync(openSync(path, 'a', 0o600))
  const { dev, ino } = statSync(path)
  // Two connections, because they are durable to different degrees. What was acknowledged must survive a power cut,
  // or a session that was ended would live again: FULL flushes the log with every write. A touch or a sweep that
  // is lost costs nothing: NORMAL flushes now and then, and a kill loses nothing even so.
  const firm = new DatabaseSync(path)
  const loose = new DatabaseSync(path)
  try {
    for (const database of [firm, loose]) {
      database.exec(`PRAGMA busy_timeout = ${waitInside}`)
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = ${logPages}`,
      )
      database.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
      limit(database, maxBytes)
    }
    firm.exec('PRAGMA synchronous = FULL')
    loose.exec('PRAGMA synchronous = NORMAL')
    firm.exec(schema)
    return { ...statements(firm, loose), isInPlace, close }
  } catch (cause) {
    close()
    throw cause
  }

  function isInPlace(): boolean {
    const now = statSync(path, { throwIfNoEntry: false })
    return now?.ino === ino && now.dev === dev
  }

  function close(): void {
    loose.close()
    firm.close()
  }
}

function limit(database: DatabaseSync, maxBytes: number | undefined): void {
  if (maxBytes === undefined) return
  const pageSize = Number(database.prepare('PRAGMA page_size').get()?.['page_size'])
  database.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageSize)}`)
}

function statements(firm: DatabaseSync, loose: DatabaseSync): Omit<SqliteFile, 'isInPlace' | 'close'> {
  const select = loose.prepare(
    'SELECT version, expires, value FROM session_mirror WHERE key = ? AND expires > ?',
  )
  const touch = loose.prepare(
    'UPDATE session_mirror SET expires = ? WHERE key = ? AND expires > ? RETURNING version, expires, value',
  )
  const exists = loose.prepare('SELECT 1 FROM session_mirror WHERE key = ? AND expires > ?')
  const expired = loose.prepare('SELECT 1 FROM session_mirror WHERE expires <= ? LIMIT 1')
  const sweep = loose.prepare(
    `DELETE FROM session_mirror WHERE rowid IN (SELECT rowid FROM session_mirror WHERE expires <= ? LIMIT ${sweepStep})`,
  )
  const create = firm.prepare(`${insert} WHERE session_mirror.expires <= ?`)
  const put = firm.prepare(insert)
  const replace = firm.prepare(
    'UPDATE session_mirror SET version = ?, expires = ?, value = ? WHERE key = ? AND version = ? AND expires > ?',
  )
  return {
    read({ key, now, expires }) {
      const found = select.get(key, now)
      if (found === undefined || expires === null) return found && hit(found)
      if (Math.abs(Number(found['expires']) - expires) < touchAfter) return hit(found)
      // Reads again, so that what is given is what was touched. `all`, because `get` stops at the first row, and SQLite
      // looks after its log only when a statement has come to its end.
      const [touched] = touch.all(expires, key, now)
      return touched && hit(touched)
    },
    has: ({ key, now }) => exists.get(key, now) !== undefined,
    create({ key, version, expires, value, now }) {
      if (expired.get(now) !== undefined) sweep.run(now)
      return create.run(key, version, expires, value, now).changes === 1
    },
    replace({ key, version, expires, value, now, token }) {
      return replace.run(version, expires, value, key, token, now).changes === 1
    },
    put({ key, version, expires, value }) {
      put.run(key, version, expires, value)
    },
  }
}

function hit(row: NonNullable<ReturnType<StatementSync['get']>>): { value: Uint8Array; token: string } {
  const { value, version } = row
  if (!(value instanceof Uint8Array) || typeof version !== 'string')
    throw new Error('The row is not one of ours.')
  return { value, token: version }
}
