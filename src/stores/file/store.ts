// Sessions in a directory, one file for each. Reading takes no lock; whoever writes a session has its lock.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
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
import { type Queue, createQueue } from '../queue.ts'
import type { Store, Unavailable } from '../store.ts'
import { checkedStore } from '../wrapped-store.ts'
import { lifeHints } from '../argument-checks.ts'
import { holdersIn, locksIn, makeDirectory, nameLength, nameOf, pathOf } from './directory.ts'
import { type FileItem, readFileItem, writeFileItem } from './file-item.ts'
import { type Holder, createHolder } from './holder.ts'
import { type Locks, createLocks } from './locks.ts'
import { type Sweeper, createSweeper } from './sweeper.ts'

/** The options of `fileStore`. `directory` is needed. */
export interface FileStoreOptions {
  /**
   * On a disk of this machine, for sessions alone, with a path of 79 bytes at most. It is made when it is missing,
   * readable by its user alone.
   */
  readonly directory: string
  /** How long a write waits for another process that writes the same session, from 1 to 60,000. @default 1000 */
  readonly timeoutMilliseconds?: number
  /** Milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

const fileChecks: ChecksOf<FileStoreOptions> = {
  directory: text,
  timeoutMilliseconds: number,
  clock: callback,
}
const fileOptions: KnownOptions = {
  checks: fileChecks,
  needed: ['directory'],
  hints: {
    ...lifeHints,
    path: 'write directory',
    dir: 'write directory',
    folder: 'write directory',
    dataDir: 'write directory',
    timeout: 'write timeoutMilliseconds',
    secret: 'secrets is an option of createSessions',
  },
}

/**
 * A store in a directory of this machine, for any number of its processes.
 * - worst case: a write waits `timeoutMilliseconds` for its lock, then for the disk. It is `unavailable` when either
 *   fails, and the old state stays.
 * - a process that is killed blocks nobody; one that is stopped blocks the session that it was writing.
 * @throws SessionError `invalid-option` for a directory that cannot be used, or a timeout out of its range
 * @example const store = fileStore({ directory: '/var/lib/shop/sessions' })
 */
export function fileStore(options: FileStoreOptions): Store {
  checkOptions('fileStore', options, fileOptions)
  const { timeoutMilliseconds = 1000, clock = systemClock } = options
  checkWholeNumber('timeoutMilliseconds', timeoutMilliseconds, { from: 1, to: 60_000 })
  const files = new SessionFiles(makeDirectory(options.directory), { timeoutMilliseconds, clock })
  return checkedStore({
    name: 'file',
    guarantees: { compareAndSwap: 'all-processes', revocation: 'final', durability: 'disk' },
    read: (key, ttlSeconds) =>
      files.attempt(async () => {
        const found = await files.read(key, ttlSeconds)
        return found === undefined ? { kind: 'miss' } : { kind: 'hit', ...found }
      }),
    create(key, value, ttlSeconds) {
      files.sweep()
      return files.alone(key, async (file) =>
        (await file.read()) === undefined ? file.put(value, ttlSeconds) : { kind: 'exists' },
      )
    },
    replace: (key, value, { token, ttlSeconds }) =>
      files.alone(key, async (file) => {
        const item = await file.read()
        if (item === undefined) return { kind: 'missing' }
        return item.token === token ? file.put(value, ttlSeconds) : { kind: 'conflict' }
      }),
    end: (key, value, ttlSeconds) => files.alone(key, (file) => file.put(value, ttlSeconds)),
    close: () => files.close(),
  })
}

/** One session's file while nobody else writes it. */
interface HeldFile {
  read(): Promise<FileItem | undefined>
  put(value: Uint8Array, ttlSeconds: number): Promise<{ readonly kind: 'stored' }>
}

/** The files of one directory, with the locks between its processes and the turns within this one. */
class SessionFiles {
  readonly #directory: string
  readonly #clock: Clock
  readonly #holder: Holder
  readonly #locks: Locks
  readonly #sweeper: Sweeper
  /** Within this process: without turns its writers would wait for each other's locks, and out of order. */
  readonly #queue: Queue = createQueue()
  readonly #running = new Set<Promise<unknown>>()

  constructor(directory: string, options: Required<Omit<FileStoreOptions, 'directory'>>) {
    this.#directory = directory
    this.#clock = options.clock
    this.#holder = createHolder(holdersIn(directory))
    this.#locks = createLocks(this.#holder, options.timeoutMilliseconds)
    this.#sweeper = createSweeper({
      directory,
      clock: options.clock,
      alone: (name, run) => this.#alone(name, run),
      clearLock: (name) =>
        this.#queue(name.slice(0, nameLength), () => this.#locks.clear(this.#lockOf(name))),
      isAlive: (holderId) => this.#holder.isAlive(holderId),
    })
  }

  async read(key: string, ttlSeconds: number | null): Promise<FileItem | undefined> {
    const now = this.#clock()
    const expires = ttlSeconds === null ? null : now + ttlSeconds * 1000
    const found = await readFileItem(this.#pathOf(key), { now, expires })
    // Is the session missing, or the whole directory? An unmounted disk must not end a session.
    if (found === undefined) await this.#holder.assertPresent()
    return found
  }

  /** Decides from what is there now what there shall be, while nobody else writes this key. */
  alone<Result>(key: string, run: (file: HeldFile) => Promise<Result>): Promise<Result | Unavailable> {
    const path = this.#pathOf(key)
    const file: HeldFile = {
      read: () => readFileItem(path, { now: this.#clock(), expires: null }),
      put: async (value, ttlSeconds) => {
        await writeFileItem(path, { token: randomUUID(), value }, this.#clock() + ttlSeconds * 1000)
        return { kind: 'stored' }
      },
    }
    return this.attempt(() => this.#alone(nameOf(key), () => run(file)))
  }

  /** What the file system throws is `unavailable`. */
  async attempt<Result>(run: () => Promise<Result>): Promise<Result | Unavailable> {
    const result = run().catch((cause: unknown): Unavailable => ({ kind: 'unavailable', cause }))
    this.#running.add(result)
    try {
      return await result
    } finally {
      this.#running.delete(result)
    }
  }

  sweep(): void {
    this.#sweeper.nudge()
  }

  async close(): Promise<void> {
    // Once the holder has left, others take its locks away: nothing of ours may be under way any more.
    await Promise.all(this.#running)
    await this.#sweeper.close()
    await this.#holder.leave()
  }

  #alone<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    return this.#queue(name, () => this.#locks.hold(this.#lockOf(name), run))
  }

  #lockOf(name: string): string {
    return join(locksIn(this.#directory), name)
  }

  #pathOf(key: string): string {
    return pathOf(this.#directory, nameOf(key))
  }
}
