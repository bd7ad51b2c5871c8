// One SQLite file and its prepared statements. Each method is one statement that decides by itself, and throws what
// SQLite throws.
import { closeSync, openSync, statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** A session as it is to be stored. Times are milliseconds since 1970. */
export interface SqliteRow {
  readonly key: string
  readonly value: Uint8Array
  /** A random UUID, new with every write: the token. */
  readonly version: string
  readonly now: number
  readonly expires: number
}

/** Which session is looked for, and when. */
export type SqliteKey = Pick<SqliteRow, 'key' | 'now'>

/** What a read found. */
export interface SqliteHit {
  readonly value: Uint8Array
  readonly token: string
}

/** Milliseconds by which a lifetime must move to be written: reading one session writes at most once a second. */
const touchAfterMilliseconds = 1000
/** SQLite waits this long for another process, and this thread with it: as long as one write takes, or two. */
const busyTimeoutMilliseconds = 5
/** Pages of the log before SQLite moves them into the file, during somebody's write: few, for a short pause. */
const checkpointPages = 250
/** Bytes that the log is cut to after it was longer. */
const maxLogBytes = 16_777_216
/** Expired rows that are removed with each new one: more than one, so that sweeping is faster than storing. */
const sweptRows = 4

const schema = `
  CREATE TABLE IF NOT EXISTS session_mirror (
    key TEXT PRIMARY KEY, version TEXT NOT NULL, expires INTEGER NOT NULL, value BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS session_mirror_expires ON session_mirror (expires);
`
const upsert = `INSERT INTO session_mirror (key, version, expires, value) VALUES (?, ?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires, value = excluded.value`

/**
 * An open file. It has two connections, because they flush to different degrees. What was acknowledged must survive
 * a power cut, or an ended session would live again: the `durable` one flushes the log with every write (FULL). A touch
 * or a sweep that is lost costs nothing: the `relaxed` one flushes now and then (NORMAL), and even so a kill of the
 * process loses nothing.
 */
export class SqliteFile {
  readonly #path: string
  readonly #inode: { readonly dev: number; readonly ino: number }
  readonly #durable: DatabaseSync
  readonly #relaxed: DatabaseSync
  readonly #statements: Statements

  /**
   * Opens the file, and makes it when there is none, readable by its user alone.
   * @param maxBytes the file's size at most; undefined: what the disk takes
   * @throws what SQLite or the file system throws; nothing stays open then
   */
  constructor(path: string, maxBytes: number | undefined) {
    // SQLite gives its log the rights of this file.
    closeSync(openSync(path, 'a', 0o600))
    this.#path = path
    this.#inode = statSync(path)
    this.#durable = new DatabaseSync(path)
    this.#relaxed = new DatabaseSync(path)
    try {
      for (const database of [this.#durable, this.#relaxed]) configure(database, maxBytes)
      this.#durable.exec('PRAGMA synchronous = FULL')
      this.#relaxed.exec('PRAGMA synchronous = NORMAL')
      this.#durable.exec(schema)
      this.#statements = prepare(this.#durable, this.#relaxed)
    } catch (cause) {
      this.close()
      throw cause
    }
  }

  /** Whether this file still has the name that it was opened by: a deleted file takes writes, and loses them. */
  isInPlace(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false })
    return now?.ino === this.#inode.ino && now.dev === this.#inode.dev
  }

  /** The session, unless it has expired. With `expires` its lifetime ends then, if that moves it by a second. */
  read({ key, now, expires }: SqliteKey & { readonly expires: number | null }): SqliteHit | undefined {
    const found = this.#statements.select.get(key, now)
    if (found === undefined || expires === null) return found && toHit(found)
    if (Math.abs(Number(found['expires']) - expires) < touchAfterMilliseconds) return toHit(found)
    // Reads again, so that what is given is what was touched. `all`, because `get` stops at the first row, and SQLite
    // looks after its log only when a statement has come to its end.
    const [touched] = this.#statements.touch.all(expires, key, now)
    return touched && toHit(touched)
  }

  has({ key, now }: SqliteKey): boolean {
    return this.#statements.exists.get(key, now) !== undefined
  }

  /** Stores the row where none is; false when one is there. Removes some expired rows first. */
  create({ key, version, expires, value, now }: SqliteRow): boolean {
    if (this.#statements.expired.get(now) !== undefined) this.#statements.sweep.run(now)
    return this.#statements.create.run(key, version, expires, value, now).changes === 1
  }

  /** Stores the row in place of the one with this token; false when there is no such row. */
  replace({ key, version, expires, value, now, token }: SqliteRow & { readonly token: string }): boolean {
    return this.#statements.replace.run(version, expires, value, key, token, now).changes === 1
  }

  /** Stores the row whatever is there. */
  put({ key, version, expires, value }: SqliteRow): void {
    this.#statements.put.run(key, version, expires, value)
  }

  close(): void {
    this.#relaxed.close()
    this.#durable.close()
  }
}

function configure(database: DatabaseSync, maxBytes: number | undefined): void {
  database.exec(`PRAGMA busy_timeout = ${busyTimeoutMilliseconds}`)
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = ${maxLogBytes}; PRAGMA wal_autocheckpoint = ${checkpointPages}`,
  )
  database.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
  if (maxBytes === undefined) return
  const pageSize = Number(database.prepare('PRAGMA page_size').get()?.['page_size'])
  database.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageSize)}`)
}

type Statements = Readonly<
  Record<'select' | 'touch' | 'exists' | 'expired' | 'sweep' | 'create' | 'put' | 'replace', StatementSync>
>

function prepare(durable: DatabaseSync, relaxed: DatabaseSync): Statements {
  return {
    select: relaxed.prepare(
      'SELECT version, expires, value FROM session_mirror WHERE key = ? AND expires > ?',
    ),
    touch: relaxed.prepare(
      'UPDATE session_mirror SET expires = ? WHERE key = ? AND expires > ? RETURNING version, expires, value',
    ),
    exists: relaxed.prepare('SELECT 1 FROM session_mirror WHERE key = ? AND expires > ?'),
    expired: relaxed.prepare('SELECT 1 FROM session_mirror WHERE expires <= ? LIMIT 1'),
    sweep: relaxed.prepare(
      `DELETE FROM session_mirror WHERE rowid IN (SELECT rowid FROM session_mirror WHERE expires <= ? LIMIT ${sweptRows})`,
    ),
    create: durable.prepare(`${upsert} WHERE session_mirror.expires <= ?`),
    put: durable.prepare(upsert),
    replace: durable.prepare(
      'UPDATE session_mirror SET version = ?, expires = ?, value = ? WHERE key = ? AND version = ? AND expires > ?',
    ),
  }
}

function toHit({ value, version }: NonNullable<ReturnType<StatementSync['get']>>): SqliteHit {
  if (!(value instanceof Uint8Array) || typeof version !== 'string') {
    throw new Error('A row of the table session_mirror is not a session: something else wrote it.')
  }
  return { value, token: version }
}
