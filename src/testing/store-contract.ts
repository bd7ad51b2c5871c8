// The contract of `Store`, as tests that any test runner can run, in Node or in a browser. Each test makes its
// own keys; lifetimes are waited for in real seconds.
import { SessionError } from '../protocol/errors.ts'
import { maxValueBytes } from '../stores/argument-checks.ts'
import type { Store } from '../stores/store.ts'

/** The part of a test runner that is used: vitest, jest and node:test have it. */
export interface ContractRunner {
  /** Declares one test, which fails when `run` rejects. */
  test(name: string, run: () => Promise<void>): void
}

const minute = 60
const first = bytesOf('first')
const second = bytesOf('second')

/** What is special about the store that is tested. */
export interface ContractOptions {
  /** What the store takes, when that is less than a whole session may have. @default 1,000,000 */
  readonly maxBytes?: number
}

/**
 * Declares the contract's tests. `makeStore` is called once for each; the store is closed at the end of it.
 * @example storeContract({ test }, () => memoryStore())
 */
export function storeContract(
  { test }: ContractRunner,
  makeStore: () => Store | Promise<Store>,
  { maxBytes = maxValueBytes }: ContractOptions = {},
): void {
  const cases = { ...reading, ...creating, ...replacing, ...ending, ...limiting(maxBytes) }
  for (const [name, run] of Object.entries(cases)) {
    test(name, async () => {
      const store = await makeStore()
      try {
        await run(store, randomKey())
      } finally {
        await store.close()
      }
    })
  }
}

type Cases = Readonly<Record<string, (store: Store, key: string) => Promise<void>>>

const reading: Cases = {
  'a key that was never stored is a miss': async (store, key) => {
    equal(await kind(store.read(key, minute)), 'miss')
  },
  'a stored value comes back byte for byte': async (store, key) => {
    const value = Uint8Array.from({ length: 1024 }, (_, index) => index % 256)
    await store.create(key, value, minute)
    equal(hex(await valueOf(store, key)), hex(value))
  },
  'values that look like the protocol come back as they are': async (store, key) => {
    for (const text of ['', 'END\r\n', '\r\n', 'VA 5 c1 O1\r\nhello\r\n', 'HD O1\r\n']) {
      const own = `${key}:${text.length}`
      await store.create(own, bytesOf(text), minute)
      equal(hex(await valueOf(store, own)), hex(bytesOf(text)))
    }
  },
  'reading begins the lifetime anew and leaves the token as it is': async (store, key) => {
    const [own, before] = await inTime(key, 1000, async (one) => {
      await store.create(one, first, 2)
      return hit(store, one, 60)
    })
    await sleep(3100)
    const after = await hit(store, own, 60)
    equal(after.token, before.token)
  },
  'reading with null leaves the lifetime as it is': async (store, key) => {
    // Stores that count whole seconds may end a lifetime up to one early.
    const [own, value] = await inTime(key, 2000, async (one) => {
      await store.create(one, first, 3)
      await sleep(1000)
      return valueOf(store, one, null)
    })
    equal(hex(value), hex(first))
    await sleep(3200)
    equal(await kind(store.read(own, null)), 'miss')
  },
  'a value is a miss after its lifetime': async (store, key) => {
    await store.create(key, first, 1)
    await sleep(2200)
    equal(await kind(store.read(key, minute)), 'miss')
  },
  'a lifetime of more than thirty days is one': async (store, key) => {
    await store.create(key, first, 2_592_001)
    equal(hex(await valueOf(store, key, 31_536_000)), hex(first))
    equal(hex(await valueOf(store, key)), hex(first))
  },
  'a closed store is unavailable': async (store, key) => {
    await store.close()
    equal(await kind(store.read(key, minute)), 'unavailable')
    equal(await kind(store.create(key, first, minute)), 'unavailable')
    equal(await kind(store.replace(key, first, { token: '1', ttlSeconds: minute })), 'unavailable')
    equal(await kind(store.end(key, first, minute)), 'unavailable')
    await store.close()
  },
}

const creating: Cases = {
  'creating where a value is leaves that value': async (store, key) => {
    equal(await kind(store.create(key, first, minute)), 'stored')
    equal(await kind(store.create(key, second, minute)), 'exists')
    equal(hex(await valueOf(store, key)), hex(first))
  },
  'of fifty that create at once one does': async (store, key) => {
    const kinds = await Promise.all(Array.from({ length: 50 }, () => kind(store.create(key, first, minute))))
    equal(kinds.filter((one) => one === 'stored').length, 1)
    equal(kinds.filter((one) => one === 'exists').length, 49)
  },
}

const replacing: Cases = {
  'replacing with the token of a read stores': async (store, key) => {
    await store.create(key, first, minute)
    const { token } = await hit(store, key)
    equal(await kind(store.replace(key, second, { token, ttlSeconds: minute })), 'stored')
    equal(hex(await valueOf(store, key)), hex(second))
  },
  'a token works once': async (store, key) => {
    await store.create(key, first, minute)
    const { token } = await hit(store, key)
    await store.replace(key, second, { token, ttlSeconds: minute })
    equal(await kind(store.replace(key, first, { token, ttlSeconds: minute })), 'conflict')
    equal(hex(await valueOf(store, key)), hex(second))
  },
  'of fifty that replace with one token one does': async (store, key) => {
    await store.create(key, first, minute)
    const { token } = await hit(store, key)
    const replace = (): Promise<string> => kind(store.replace(key, second, { token, ttlSeconds: minute }))
    const kinds = await Promise.all(Array.from({ length: 50 }, replace))
    equal(kinds.filter((one) => one === 'stored').length, 1)
    equal(kinds.filter((one) => one === 'conflict').length, 49)
  },
  'replacing what is not there stores nothing': async (store, key) => {
    equal(await kind(store.replace(key, first, { token: '1', ttlSeconds: minute })), 'missing')
    equal(await kind(store.read(key, minute)), 'miss')
  },
}

const ending: Cases = {
  'ending overwrites whatever is or is not there': async (store, key) => {
    equal(await kind(store.end(key, first, minute)), 'stored')
    equal(await kind(store.end(key, second, minute)), 'stored')
    equal(hex(await valueOf(store, key)), hex(second))
  },
  'a token from before the end is of no use after it': async (store, key) => {
    await store.create(key, first, minute)
    const { token } = await hit(store, key)
    await store.end(key, second, minute)
    equal(await kind(store.replace(key, first, { token, ttlSeconds: minute })), 'conflict')
    equal(await kind(store.create(key, first, minute)), 'exists')
  },
}

const limiting = (maxBytes: number): Cases => ({
  'keys that could carry a command are refused': async (store) => {
    for (const key of ['', 'a b', 'a\r\nflush_all', 'é', 'a\u0000', 'x'.repeat(201)]) {
      equal(await refusal(store.read(key, minute)), 'invalid-option')
      equal(await refusal(store.create(key, first, minute)), 'invalid-option')
      equal(await refusal(store.end(key, first, minute)), 'invalid-option')
    }
  },
  'lifetimes that are no whole seconds from one are refused': async (store, key) => {
    for (const ttlSeconds of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      equal(await refusal(store.create(key, first, ttlSeconds)), 'invalid-option')
    }
  },
  'the largest value fits and one byte more is too large': async (store, key) => {
    equal(await kind(store.create(key, new Uint8Array(maxBytes), minute)), 'stored')
    equal((await valueOf(store, key)).byteLength, maxBytes)
    equal(await refusal(store.end(key, new Uint8Array(maxBytes + 1), minute)), 'too-large')
  },
})

async function hit(
  store: Store,
  key: string,
  ttlSeconds: number | null = minute,
): Promise<{ token: string; value: Uint8Array }> {
  const read = await store.read(key, ttlSeconds)
  if (read.kind !== 'hit') throw new Error(`Expected a hit, got ${read.kind}.`)
  return read
}

async function valueOf(store: Store, key: string, ttlSeconds: number | null = minute): Promise<Uint8Array> {
  return (await hit(store, key, ttlSeconds)).value
}

async function kind(result: Promise<{ readonly kind: string }>): Promise<string> {
  return (await result).kind
}

async function refusal(result: Promise<unknown>): Promise<string> {
  try {
    await result
  } catch (error) {
    if (error instanceof SessionError) return error.code
    throw error
  }
  return 'none'
}

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`Expected ${String(expected)}, got ${String(actual)}.`)
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function randomKey(): string {
  return `contract:${Math.random().toString(36).slice(2)}`
}

/**
 * What must be done within the beginning of a lifetime. A machine that was too busy for it proves nothing about the
 * store: then it is done again, with another key.
 */
async function inTime<Result>(
  key: string,
  milliseconds: number,
  run: (key: string) => Promise<Result>,
): Promise<readonly [key: string, result: Result]> {
  for (let attempt = 0; ; attempt++) {
    const own = `${key}:${attempt}`
    const started = Date.now()
    const isInTime = (): boolean => Date.now() - started < milliseconds
    try {
      const result = await run(own)
      if (isInTime()) return [own, result]
    } catch (error) {
      if (isInTime()) throw error
    }
    if (attempt === 20) throw new Error(`Twenty times this took longer than ${milliseconds} ms.`)
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
