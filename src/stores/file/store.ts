// Sessions in a directory, one file for each. Reading takes no lock; whoever writes a session has its lock.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { invalid, makeDirectory, nameLength, nameOf } from './directory.ts'
import { type FileItem, readFileItem, writeFileItem } from './file-item.ts'
import { createLocks } from './locks.ts'
import { createHolder } from './holder.ts'
import { createSweeper } from './sweeper.ts'
import { createQueue } from '../queue.ts'
import { type Store, type Unavailable, checkKey, checkTtl, checkValueSize } from '../store.ts'

export interface FileStoreOptions {
  /** On a disk of this machine, for sessions alone, and with a path of 79 bytes at most. It is made if it is missing. */
  readonly directory: string
  /** How long a write waits for another process that writes the same session. @default 1000 */
  readonly timeoutMilliseconds?: number
  /** @default the system's */
  readonly clock?: Clock
}

/**
 * A store in a directory of this machine, for any number of its processes.
 * Worst case: a write waits `timeoutMilliseconds` for its lock, then for the disk, and is `unavailable` when either
 * fails; the old state stays. A process that is killed blocks nobody; one that is stopped blocks the session that it
 * was writing.
 * @throws SessionError `invalid-option` for a directory that cannot be
 * @example const store = fileStore({ directory: '/var/lib/shop/sessions' })
 */
export function fileStore(options: FileStoreOptions): Store {
  const { timeoutMilliseconds = 1000, clock = systemClock } = options
  if (!Number.isSafeInteger(timeoutMilliseconds) || timeoutMilliseconds < 1 || timeoutMilliseconds > 60_000) {
    throw invalid('timeoutMilliseconds must be a whole number from 1 to 60000.')
  }
  const directory = makeDirectory(options.directory)
  const owner = createHolder(join(directory, 'owners'))
  const locks = createLocks(owner, timeoutMilliseconds)
  // Within this process a queue: its writers would only wait for each other's locks, and out of turn.
  const queue = createQueue()
  const sweeper = createSweeper({
    directory,
    clock,
    alone: (name, run) => alone(name, run),
    clearLock: (name) => queue(name.slice(0, nameLength), () => locks.clear(join(directory, 'locks', name))),
    isAlive: (id) => owner.isAlive(id),
  })
  const running = new Set<Promise<unknown>>()
  let isClosed = false

  function alone<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    return queue(name, () => locks.hold(join(directory, 'locks', name), run))
  }

  /** Decides from what is there now what there shall be, while nobody else writes this key. */
  function write<Result>(
    key: string,
    decide: (write: Write) => Promise<Result>,
  ): Promise<Result | Unavailable> {
    return attempt(() => {
      const path = pathOf(key)
      return alone(nameOf(key), () =>
        decide({ path, found: () => readFileItem(path, { now: clock(), expires: null }) }),
      )
    })
  }

  async function attempt<Result>(run: () => Promise<Result>): Promise<Result | Unavailable> {
    if (isClosed) return { kind: 'unavailable', cause: new Error('The store was closed.') }
    const result = run().catch((cause: unknown): Unavailable => ({ kind: 'unavailable', cause }))
    running.add(result)
    try {
      return await result
    } finally {
      running.delete(result)
    }
  }

  function pathOf(key: string): string {
    const name = nameOf(key)
    return join(directory, name.slice(0, 2), name)
  }

  async function put(path: string, value: Uint8Array, ttlSeconds: number): Promise<{ kind: 'stored' }> {
    await writeFileItem(path, { token: randomUUID(), value }, clock() + ttlSeconds * 1000)
    return { kind: 'stored' }
  }

  return {
    name: 'file',
    guarantees: { compareAndSwap: 'all-processes', revocation: 'final', durability: 'disk' },
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      return attempt(async () => {
        const now = clock()
        const expires = ttlSeconds === null ? null : now + ttlSeconds * 1000
        const found = await readFileItem(pathOf(key), { now, expires })
        if (found !== undefined) return { kind: 'hit', ...found }
        // Nothing there, or nothing at all there: an unmounted disk is no reason to end a session.
        await owner.assertPresent()
        return { kind: 'miss' }
      })
    },
    async create(key, value, ttlSeconds) {
      const own = check(key, value, ttlSeconds)
      sweeper.nudge()
      return write(key, async ({ found, path }) =>
        (await found()) === undefined ? put(path, own, ttlSeconds) : { kind: 'exists' },
      )
    },
    async replace(key, value, { token, ttlSeconds }) {
      const own = check(key, value, ttlSeconds)
      return write(key, async ({ found, path }) => {
        const entry = await found()
        if (entry === undefined) return { kind: 'missing' }
        return entry.token === token ? put(path, own, ttlSeconds) : { kind: 'conflict' }
      })
    },
    async end(key, value, ttlSeconds) {
      const own = check(key, value, ttlSeconds)
      return write(key, ({ path }) => put(path, own, ttlSeconds))
    },
    async close() {
      if (isClosed) return
      isClosed = true
      // Whoever leaves is taken for dead: nothing of ours may be under way any more.
      await Promise.all(running)
      await sweeper.close()
      await owner.leave()
    },
  }
}

interface Write {
  readonly path: string
  readonly found: () => Promise<FileItem | undefined>
}

/** A copy: the caller may change the bytes while a lock is waited for. */
function check(key: string, value: Uint8Array, ttlSeconds: number): Uint8Array {
  checkKey(key)
  checkTtl(ttlSeconds)
  checkValueSize(value)
  return value.slice()
}
