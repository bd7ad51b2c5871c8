// The globals that browser code finds, for the time of one seed: each leads to whoever runs now. Patched and not
// passed in, so that what runs is the code that ships, to the byte.
import type { Chance } from './chance.ts'
import {
  SimCursor,
  SimDatabase,
  SimIndex,
  SimKeyRange,
  SimObjectStore,
  SimRequest,
  SimTransaction,
} from './idb-objects.ts'
import { SimFetchRequest, SimFetchResponse } from './messages.ts'
import type { Member, Realm } from './realm.ts'
import type { Scheduler, Task } from './scheduler.ts'
import { type Plaintexts, createSubtle } from './subtle.ts'

/** The moment at which every seed begins. */
export const beginning = 1_800_000_000_000

interface Tools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  /** The scope of a service worker that is running. */
  readonly workerScope: () => unknown
  readonly plaintexts: Plaintexts
}

/** Returns the way back. */
export function installGlobals({ scheduler, chance, workerScope, plaintexts }: Tools): () => void {
  const realm = (): Realm | undefined => scheduler.current?.realm as Realm | undefined // Every browser context has one.
  const setTimer = (run: (...args: unknown[]) => void, delay = 0, ...args: unknown[]): Task =>
    scheduler.after(delay, scheduler.current, { label: 'timer', run: () => run(...args) })
  const clearTimer = (task: Task | undefined): void => {
    if (task !== undefined) task.isCancelled = true
  }
  const subtle = createSubtle({ scheduler, chance, plaintexts })
  const restores = [
    patch(Date, { now: { value: () => Math.floor(beginning + scheduler.now + (realm()?.skew ?? 0)) } }),
    patch(performance, { now: { value: () => scheduler.now } }),
    patch(Math, { random: { value: chance.next } }),
    patch(AbortSignal, { timeout: { value: (delay: number) => abortAfter(delay, setTimer) } }),
    patch(globalThis, {
      setTimeout: { value: setTimer },
      clearTimeout: { value: clearTimer },
      crypto: { value: { subtle, getRandomValues: (array: Uint8Array) => (chance.bytes(array), array) } },
      navigator: { get: () => ({ locks: realm()?.locks }) },
      indexedDB: { get: () => realm()?.idb },
      BroadcastChannel: { value: channelClass(realm) },
      self: { get: workerScope },
      Request: { value: SimFetchRequest },
      Response: { value: SimFetchResponse },
      IDBRequest: { value: SimRequest },
      IDBDatabase: { value: SimDatabase },
      IDBTransaction: { value: SimTransaction },
      IDBObjectStore: { value: SimObjectStore },
      IDBKeyRange: { value: SimKeyRange },
      IDBIndex: { value: SimIndex },
      IDBCursor: { value: SimCursor },
    }),
  ]
  return () => {
    for (const restore of restores) restore()
  }
}

function patch(target: object, properties: Readonly<Record<string, PropertyDescriptor>>): () => void {
  const before = Object.keys(properties).map(
    (name) => [name, Object.getOwnPropertyDescriptor(target, name)] as const,
  )
  for (const [name, property] of Object.entries(properties)) {
    Object.defineProperty(target, name, {
      ...property,
      ...('value' in property ? { writable: true } : {}),
      configurable: true,
    })
  }
  return () => {
    for (const [name, property] of before) {
      if (property === undefined) Reflect.deleteProperty(target, name)
      else Object.defineProperty(target, name, property)
    }
  }
}

function abortAfter(delay: number, setTimer: (run: () => void, delay: number) => unknown): object {
  const listeners = new Set<() => void>()
  const signal = {
    aborted: false,
    // Made when somebody asks: most come too late for anybody.
    get reason() {
      return new DOMException('Too late.', 'TimeoutError')
    },
    addEventListener: (_type: string, listener: () => void) => void listeners.add(listener),
  }
  setTimer(() => {
    signal.aborted = true
    for (const listener of listeners) listener()
  }, delay)
  return signal
}

function channelClass(realm: () => Realm | undefined): unknown {
  return class {
    readonly #channels = realm()?.channels
    readonly #member: Member | undefined
    readonly #listeners = new Set<(event: { data: unknown }) => void>()
    constructor(name: string) {
      this.#member = this.#channels?.join(name, (data) => {
        for (const listener of this.#listeners) listener({ data })
      })
    }
    addEventListener(_type: string, listener: (event: { data: unknown }) => void): void {
      this.#listeners.add(listener)
    }
    postMessage(data: unknown): void {
      if (this.#member !== undefined) this.#channels?.post(this.#member, data)
    }
    close(): void {
      if (this.#member !== undefined) this.#channels?.leave(this.#member)
    }
  }
}
