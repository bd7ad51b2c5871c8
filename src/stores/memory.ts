// Sessions in this process's memory: for development, tests and the browser. Bounded; keeps nothing alive and
// nothing after the process. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../protocol/clock.ts'
import { SessionError } from '../protocol/errors.ts'
import { type Store, type Unavailable, checkKey, checkTtl, checkValueSize } from './store.ts'

export interface MemoryStoreOptions {
  /** More than this, and the least recently used one is forgotten. @default 10_000 */
  readonly maxSessions?: number
  /** @default the system's */
  readonly clock?: Clock
}

interface Item {
  readonly value: Uint8Array
  readonly token: string
  readonly expires: number
}

/** Milliseconds between two sweeps for expired items: a sweep looks at every item. */
const sweepEvery = 60_000

/**
 * A store in memory.
 * @throws SessionError `invalid-option` when `maxSessions` is not a whole number from 1.
 * @example const store = memoryStore({ maxSessions: 1000 })
 */
export function memoryStore({ maxSessions = 10_000, clock = systemClock }: MemoryStoreOptions = {}): Store {
  if (!Number.isSafeInteger(maxSessions) || maxSessions < 1) {
    throw new SessionError('invalid-option', 'maxSessions must be a whole number from 1.')
  }
  // A Map keeps the order of insertion; a touched item is inserted again, so the first is the longest unused.
  const items = new Map<string, Item>()
  let lastToken = 0
  let nextSweep = clock() + sweepEvery
  let isClosed = false

  function live(key: string): Item | undefined {
    const item = items.get(key)
    if (item === undefined || item.expires > clock()) return item
    items.delete(key)
    return undefined
  }

  function put(key: string, value: Uint8Array, ttlSeconds: number): { kind: 'stored' } {
    items.delete(key)
    makeRoom()
    // Copied, in and out: nobody outside holds the bytes that are kept here.
    items.set(key, { value: value.slice(), token: String(++lastToken), expires: clock() + ttlSeconds * 1000 })
    return { kind: 'stored' }
  }

  function makeRoom(): void {
    const now = clock()
    if (now >= nextSweep) {
      nextSweep = now + sweepEvery
      for (const [key, item] of items) if (item.expires <= now) items.delete(key)
    }
    for (const key of items.keys()) {
      if (items.size < maxSessions) break
      items.delete(key)
    }
  }

  return {
    name: 'memory',
    guarantees: { compareAndSwap: 'this-process', revocation: 'final', durability: 'volatile' },
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      if (isClosed) return closed()
      const item = live(key)
      if (item === undefined) return { kind: 'miss' }
      if (ttlSeconds !== null) {
        items.delete(key)
        items.set(key, { ...item, expires: clock() + ttlSeconds * 1000 })
      }
      return { kind: 'hit', value: item.value.slice(), token: item.token }
    },
    async create(key, value, ttlSeconds) {
      check(key, value, ttlSeconds)
      if (isClosed) return closed()
      return live(key) === undefined ? put(key, value, ttlSeconds) : { kind: 'exists' }
    },
    async replace(key, value, { token, ttlSeconds }) {
      check(key, value, ttlSeconds)
      if (isClosed) return closed()
      const item = live(key)
      if (item === undefined) return { kind: 'missing' }
      return item.token === token ? put(key, value, ttlSeconds) : { kind: 'conflict' }
    },
    async end(key, value, ttlSeconds) {
      check(key, value, ttlSeconds)
      return isClosed ? closed() : put(key, value, ttlSeconds)
    },
    async close() {
      isClosed = true
      items.clear()
    },
  }
}

function check(key: string, value: Uint8Array, ttlSeconds: number): void {
  checkKey(key)
  checkTtl(ttlSeconds)
  checkValueSize(value)
}

function closed(): Unavailable {
  return { kind: 'unavailable', cause: new Error('The store was closed.') }
}
