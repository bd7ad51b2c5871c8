// Sessions in this process's memory: for development, tests and the browser. Bounded; keeps nothing alive and
// nothing after the process. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../protocol/clock.ts'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  number,
} from '../protocol/check-options.ts'
import { checkWholeNumber } from '../protocol/whole-number.ts'
import { lifeHints } from './argument-checks.ts'
import type { Store } from './store.ts'
import { checkedStore } from './wrapped-store.ts'

/** The options of `memoryStore`. */
export interface MemoryStoreOptions {
  /** Sessions that are kept; with one more, the least recently used one is forgotten. @default 10_000 */
  readonly maxSessions?: number
  /** Milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

const memoryChecks: ChecksOf<MemoryStoreOptions> = { maxSessions: number, clock: callback }
const memoryOptions: KnownOptions = {
  checks: memoryChecks,
  hints: {
    ...lifeHints,
    max: 'write maxSessions',
    maxItems: 'write maxSessions',
    maxEntries: 'write maxSessions',
    limit: 'write maxSessions',
    checkPeriod: 'what has expired is removed once a minute',
  },
}

interface Item {
  readonly value: Uint8Array
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** Between two sweeps for expired items: a sweep looks at every item. */
const sweepIntervalMilliseconds = 60_000

/**
 * A store in memory. One process has it alone, and a restart empties it.
 * @throws SessionError `invalid-option` when `maxSessions` is not a whole number from 1
 * @example const store = memoryStore({ maxSessions: 1000 })
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  checkOptions('memoryStore', options, memoryOptions)
  const { maxSessions = 10_000, clock = systemClock } = options
  checkWholeNumber('maxSessions', maxSessions, { from: 1 })
  const items = new MemoryItems(maxSessions, clock)
  return checkedStore({
    name: 'memory',
    guarantees: { compareAndSwap: 'this-process', revocation: 'final', durability: 'volatile' },
    async read(key, ttlSeconds) {
      const item = ttlSeconds === null ? items.live(key) : items.touch(key, ttlSeconds)
      if (item === undefined) return { kind: 'miss' }
      return { kind: 'hit', value: item.value.slice(), token: item.token }
    },
    async create(key, value, ttlSeconds) {
      return items.live(key) === undefined ? items.put(key, value, ttlSeconds) : { kind: 'exists' }
    },
    async replace(key, value, { token, ttlSeconds }) {
      const item = items.live(key)
      if (item === undefined) return { kind: 'missing' }
      return item.token === token ? items.put(key, value, ttlSeconds) : { kind: 'conflict' }
    },
    async end(key, value, ttlSeconds) {
      return items.put(key, value, ttlSeconds)
    },
    async close() {
      items.clear()
    },
  })
}

/** Items that end by the clock, and no more of them than there may be. */
class MemoryItems {
  /** A Map keeps the order of insertion; a touched item is inserted again, so the first is the longest unused. */
  readonly #items = new Map<string, Item>()
  readonly #maxItems: number
  readonly #clock: Clock
  #lastToken = 0
  #nextSweep: number

  constructor(maxItems: number, clock: Clock) {
    this.#maxItems = maxItems
    this.#clock = clock
    this.#nextSweep = clock() + sweepIntervalMilliseconds
  }

  live(key: string): Item | undefined {
    const item = this.#items.get(key)
    if (item === undefined || item.expires > this.#clock()) return item
    this.#items.delete(key)
    return undefined
  }

  touch(key: string, ttlSeconds: number): Item | undefined {
    const item = this.live(key)
    if (item === undefined) return undefined
    this.#items.delete(key)
    this.#items.set(key, { ...item, expires: this.#clock() + ttlSeconds * 1000 })
    return item
  }

  put(key: string, value: Uint8Array, ttlSeconds: number): { readonly kind: 'stored' } {
    this.#items.delete(key)
    this.#makeRoom()
    const expires = this.#clock() + ttlSeconds * 1000
    this.#items.set(key, { value, token: String(++this.#lastToken), expires })
    return { kind: 'stored' }
  }

  clear(): void {
    this.#items.clear()
  }

  #makeRoom(): void {
    const now = this.#clock()
    if (now >= this.#nextSweep) {
      this.#nextSweep = now + sweepIntervalMilliseconds
      for (const [key, item] of this.#items) if (item.expires <= now) this.#items.delete(key)
    }
    for (const key of this.#items.keys()) {
      if (this.#items.size < this.#maxItems) break
      this.#items.delete(key)
    }
  }
}
