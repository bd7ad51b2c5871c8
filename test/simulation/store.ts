// The store behind both server processes: compare-and-swap, lifetimes by the virtual clock; answers late, answers
// lost before or after the effect, items evicted, all of it restarted.
import type { Store, Unavailable } from '../../src/stores/store.ts'
import type { Chance } from './chance.ts'
import type { Scheduler } from './scheduler.ts'

/** Told of every write that takes effect; undefined: the item is gone. */
export type StoreObserver = (key: string, value: string | undefined, before: string | undefined) => void

export interface SimStore {
  /** The store as one server process sees it. */
  readonly store: Store
  readonly keys: readonly string[]
  /** What is there now, as text. */
  look(key: string): string | undefined
  evict(key: string): void
  /** As memcached: everything is gone, and tokens begin anew. */
  restart(): void
  /** Shares of operations that are lost before and after their effect, and the longest wait in milliseconds. */
  trouble: { before: number; after: number; wait: number }
}

interface Item {
  readonly value: Uint8Array
  readonly text: string
  readonly token: string
  readonly expires: number
}

export const noTrouble = { before: 0, after: 0, wait: 3 }

interface Tools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly onWrite: StoreObserver
}

export function createSimStore({ scheduler, chance, onWrite }: Tools): SimStore {
  const items = new Map<string, Item>()
  const decoder = new TextDecoder()
  let tokens = 0

  function live(key: string): Item | undefined {
    const item = items.get(key)
    if (item === undefined || item.expires > scheduler.now) return item
    items.delete(key)
    onWrite(key, undefined, item.text)
    return undefined
  }

  function put(key: string, value: Uint8Array, ttlSeconds: number): { kind: 'stored' } {
    const before = live(key)?.text
    const text = decoder.decode(value)
    items.set(key, { value, text, token: String(++tokens), expires: scheduler.now + ttlSeconds * 1000 })
    onWrite(key, text, before)
    return { kind: 'stored' }
  }

  /** The effect is a task of nobody, the answer one of whoever asked: a process that dies has still asked. */
  function ask<T extends object>(name: string, effect: () => T): Promise<T | Unavailable> {
    const { current } = scheduler
    const { before, after, wait } = sim.trouble
    const delay = (): number => (chance.of(0.05) ? chance.next() * wait * 20 : chance.next() * wait)
    return new Promise((resolve) => {
      const answer = (result: T | Unavailable): void => {
        scheduler.after(delay(), current, { label: `store answers ${name}`, run: () => resolve(result) })
      }
      const run = (): void => {
        if (chance.of(before)) return answer(away)
        const result = effect()
        answer(chance.of(after) ? away : result)
      }
      scheduler.after(delay(), undefined, { label: `store ${name}`, run })
    })
  }

  const store: Store = {
    name: 'simulated',
    guarantees: { compareAndSwap: 'all-processes', revocation: 'final', durability: 'volatile' },
    read: (key, ttlSeconds) =>
      ask('read', () => {
        const item = live(key)
        if (item === undefined) return { kind: 'miss' }
        if (ttlSeconds !== null) items.set(key, { ...item, expires: scheduler.now + ttlSeconds * 1000 })
        return { kind: 'hit', value: item.value, token: item.token }
      }),
    create: (key, value, ttlSeconds) =>
      ask('create', () => (live(key) === undefined ? put(key, value, ttlSeconds) : { kind: 'exists' })),
    replace: (key, value, { token, ttlSeconds }) =>
      ask('replace', () => {
        const item = live(key)
        if (item === undefined) return { kind: 'missing' }
        return item.token === token ? put(key, value, ttlSeconds) : { kind: 'conflict' }
      }),
    end: (key, value, ttlSeconds) => ask('end', () => put(key, value, ttlSeconds)),
    close: async () => undefined,
  }

  const sim: SimStore = {
    store,
    get keys() {
      return [...items.keys()]
    },
    look: (key) => live(key)?.text,
    evict(key) {
      const item = live(key)
      items.delete(key)
      if (item !== undefined) onWrite(key, undefined, item.text)
    },
    restart() {
      for (const key of items.keys()) sim.evict(key)
      tokens = 0
    },
    trouble: noTrouble,
  }
  return sim
}
const away: Unavailable = { kind: 'unavailable', cause: new Error('The store was told not to answer.') }
