import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createStorage, prefixStorage } from 'unstorage'
import type { Driver } from 'unstorage'
import fsDriver from 'unstorage/drivers/fs'
import memoryDriver from 'unstorage/drivers/memory'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope, textOf } from '../../src/stores/unstorage/envelope.ts'
import type { Store } from '../../src/stores/store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { type RawStorage, unstorageStore } from '../../src/unstorage.ts'
import { inProcessTime } from '../support/process-time.ts'
import { newDirectory } from '../support/store-processes.ts'
import { sleep } from '../support/waiting.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
async function textAt(store: Store, key: string): Promise<string> {
  const read = await store.read(key, null)
  return read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind
}
/** The kinds of one operation of each sort. */
async function each(store: Store, key = 'a'): Promise<string[]> {
  const all = [
    store.read(key, 60),
    store.create(key, bytes('x'), 60),
    store.replace(key, bytes('x'), { token: 'x', ttlSeconds: 60 }),
    store.end(key, bytes('x'), 60),
  ]
  return (await Promise.all(all)).map((one) => one.kind)
}
const unavailable = Array(4).fill('unavailable')

/** A driver that keeps strings alone, as those of databases do. */
const textDriver = (): Driver => {
  const data = new Map<string, string>()
  return {
    hasItem: (key) => data.has(key),
    getItem: (key) => data.get(key) ?? null,
    setItem: (key, value) => void data.set(key, value),
    removeItem: (key) => void data.delete(key),
    getKeys: () => [...data.keys()],
  }
}
/** One that gives what it keeps as bytes of its own, and only later. */
const bytesDriver = (): Driver => {
  const data = new Map<string, ArrayBuffer>()
  return {
    ...textDriver(),
    getItemRaw: async (key) => data.get(key) ?? null,
    setItemRaw: async (key, value: string) => {
      await sleep(1)
      data.set(key, new TextEncoder().encode(value).buffer)
    },
    removeItem: (key) => void data.delete(key),
  }
}

describe.each<[string, () => Driver]>([
  ['memory', () => memoryDriver()],
  ['fs', () => fsDriver({ base: newDirectory() })],
  ['text', textDriver],
  ['bytes', bytesDriver],
])('the contract with the driver %s', (_name, driver) => {
  storeContract({ test: (name, run) => test.concurrent(name, run, 60_000) }, () =>
    // The deadline is tested below; here a busy machine must not be taken for a driver that hangs.
    unstorageStore(createStorage({ driver: driver() }), { timeoutMilliseconds: 30_000 }),
  )
})

test('every storage of unstorage can be a store, also one with a prefix', async () => {
  const storages: RawStorage[] = [
    createStorage(),
    createStorage<string>(),
    createStorage<{ a: number }>(),
    prefixStorage(createStorage<string>(), 'sessions'),
  ]
  for (const storage of storages) {
    const store = unstorageStore(storage)
    expect((await store.create('a', bytes('x'), 60)).kind).toBe('stored')
    expect(await textAt(store, 'a')).toBe('x')
  }
})

describe('a driver that fails', () => {
  test('a driver that throws, at once or later, is unavailable', async () => {
    const fails: (() => never)[] = [
      () => {
        throw new Error('away')
      },
    ]
    for (const fail of [...fails, () => Promise.reject(new Error('away'))]) {
      const driver = { ...textDriver(), getItem: fail, setItem: fail, removeItem: fail }
      expect(await each(unstorageStore(createStorage({ driver })))).toEqual(unavailable)
    }
  })

  test('a driver that gives its error as the value, as fs does, is unavailable', async () => {
    const directory = newDirectory()
    const store = unstorageStore(createStorage({ driver: fsDriver({ base: directory }) }))
    await store.create('a', bytes('x'), 60)
    writeFileSync(join(directory, 'file'), '')
    const inFile = unstorageStore(createStorage({ driver: fsDriver({ base: join(directory, 'file') }) }))
    expect(await each(inFile)).toEqual(unavailable)
  })

  test('a driver that keeps nothing and says nothing is unavailable', async () => {
    const readOnly = fsDriver({ base: newDirectory(), readOnly: true })
    const { setItem: _, ...noWriter } = textDriver()
    for (const driver of [readOnly, noWriter]) {
      const store = unstorageStore(createStorage({ driver }))
      expect((await store.create('a', bytes('x'), 60)).kind).toBe('unavailable')
      expect((await store.end('a', bytes('x'), 60)).kind).toBe('unavailable')
      expect(await textAt(store, 'a')).toBe('miss')
    }
  })

  test('a driver that hangs is unavailable at the deadline, and at once while it hangs, and other keys are not', async () => {
    const driver = textDriver()
    const { getItem, setItem } = driver
    let release: (() => void)[] = []
    let hangs = false
    const hang = async (key: string): Promise<void> => {
      if (hangs && key === 'a') await new Promise<void>((resolve) => release.push(resolve))
    }
    const storage = createStorage({
      driver: {
        ...driver,
        getItem: async (key, options) => {
          await hang(key)
          return getItem(key, options)
        },
        setItem: async (key, value, options) => {
          await hang(key)
          await setItem?.(key, value, options)
        },
      },
    })
    const store = unstorageStore(storage, { timeoutMilliseconds: 100 })
    await store.create('a', bytes('old'), 60)
    hangs = true
    const first = await inProcessTime(() => each(store))
    expect(first.result).toEqual(unavailable)
    expect(first.milliseconds).toBeLessThan(250)
    const second = await inProcessTime(() => each(store))
    expect(second.result).toEqual(unavailable)
    expect(second.milliseconds).toBeLessThan(50)
    expect(release.length).toBe(1)
    expect((await store.create('b', bytes('x'), 60)).kind).toBe('stored')
    hangs = false
    for (const letGo of release) letGo()
    release = []
    await expect.poll(() => textAt(store, 'a')).toBe('old')
  })

  test('a driver that stores late never overwrites what was stored after it', async () => {
    const driver = textDriver()
    const { setItem } = driver
    let delay = 0
    const storage = createStorage({
      driver: {
        ...driver,
        setItem: async (key, value, options) => {
          await sleep(delay)
          await setItem?.(key, value, options)
        },
      },
    })
    const store = unstorageStore(storage, { timeoutMilliseconds: 100 })
    await store.create('a', bytes('session'), 60)
    const read = await store.read('a', null)
    const token = read.kind === 'hit' ? read.token : ''
    delay = 300
    const late = store.replace('a', bytes('late'), { token, ttlSeconds: 60 })
    await sleep(150)
    delay = 0
    expect((await late).kind).toBe('unavailable')
    // The sign-out is refused until the late write has come; then it is the last one.
    expect((await store.end('a', bytes('ended'), 60)).kind).toBe('unavailable')
    await expect.poll(async () => (await store.end('a', bytes('ended'), 60)).kind).toBe('stored')
    await sleep(400)
    expect(await textAt(store, 'a')).toBe('ended')
  })
})

describe('lifetimes', () => {
  test('lifetimes end by the clock, reading writes only when it matters, and an expired item is removed', async () => {
    let now = 1_000_000
    let writes = 0
    const driver = textDriver()
    const { setItem } = driver
    const ttls: unknown[] = []
    const storage = createStorage({
      driver: {
        ...driver,
        setItem: (key, value, options) => {
          writes++
          ttls.push(options['ttl'])
          return setItem?.(key, value, options)
        },
      },
    })
    const store = unstorageStore(storage, { clock: () => now })
    await store.create('a', bytes('x'), 1000)
    for (let second = 0; second < 100; second++) {
      now += 1000
      expect((await store.read('a', 1000)).kind).toBe('hit')
    }
    expect(writes).toBeLessThan(12)
    // The driver may remove it itself, but not too early.
    expect(new Set(ttls)).toEqual(new Set([1060]))
    now += 989_000
    expect(await textAt(store, 'a')).toBe('x')
    now += 11_001
    expect(await textAt(store, 'a')).toBe('miss')
    expect(await storage.getKeys()).toEqual([])
  })

  test('a longer or shorter lifetime begins with the read that asks for it', async () => {
    let now = 1_000_000
    const store = unstorageStore(createStorage(), { clock: () => now })
    await store.create('a', bytes('x'), 10)
    await store.read('a', 10_000)
    now += 9_000_000
    await store.read('a', 10)
    now += 9000
    expect(await textAt(store, 'a')).toBe('x')
    now += 2000
    expect(await textAt(store, 'a')).toBe('miss')
  })
})

describe('keys and values', () => {
  test('keys that unstorage takes for the same, or refuses, are kept apart', async () => {
    const directory = newDirectory()
    for (const driver of [memoryDriver(), fsDriver({ base: directory })]) {
      const store = unstorageStore(createStorage({ driver }))
      const keys = ['a', 'a:', ':a', 'a:b', 'a::b', 'a:b:c', '.', '..', 'a..', '..:a', 'a.b', 'A']
      for (const key of keys) expect((await store.create(key, bytes(key), 60)).kind).toBe('stored')
      for (const key of keys) expect(await textAt(store, key)).toBe(key)
    }
    expect(readdirSync(directory).length).toBe(12)
  })

  test('a value that was cut is lost, and one that another process is just writing is waited for', async () => {
    const storage = createStorage()
    const store = unstorageStore(storage)
    await store.create('a', bytes('whole'), 60)
    const whole = String(await storage.getItemRaw('a'))
    for (const length of [0, 10, 30, whole.length - 1]) {
      await storage.setItemRaw('a', whole.slice(0, length))
      expect(await textAt(store, 'a')).toBe('miss')
    }
    await storage.setItemRaw('a', '')
    const reading = textAt(store, 'a')
    await sleep(20)
    await storage.setItemRaw('a', whole)
    expect(await reading).toBe('whole')
  })

  test('an envelope says what was put into it, and nothing else is one', () => {
    const envelope = {
      token: crypto.randomUUID(),
      expires: 1_700_000_000_000,
      value: Uint8Array.of(0, 255, 10),
    }
    const text = encodeEnvelope(envelope)
    expect(decodeEnvelope(text)).toEqual(envelope)
    for (let length = 0; length < text.length; length++)
      expect(decodeEnvelope(text.slice(0, length))).toBe(undefined)
    for (const other of ['null', '{}', `${text}x`, ` ${text}`, text.replace(' 1 ', ' 2 ')]) {
      expect(decodeEnvelope(other)).toBe(undefined)
    }
    expect(textOf(Buffer.from('é'))).toBe('é')
    for (const strange of [1, {}, true, new Error('away')]) expect(() => textOf(strange)).toThrow()
  })

  test('a stored value stays when the caller changes the bytes later', async () => {
    const store = unstorageStore(createStorage())
    const value = bytes('mine')
    const created = store.create('a', value, 60)
    value.fill(0)
    await created
    expect(await textAt(store, 'a')).toBe('mine')
  })
})

test('the guarantees are what was said about the driver', () => {
  expect(unstorageStore(createStorage()).guarantees).toEqual({
    compareAndSwap: 'this-process',
    revocation: 'final',
    durability: 'volatile',
  })
  expect(unstorageStore(createStorage(), { durability: 'disk' }).guarantees.durability).toBe('disk')
})

test.each([0, -1, 1.5, Number.NaN, 60_001])(
  'timeoutMilliseconds of %s is refused at the start',
  (timeoutMilliseconds) => {
    expect(() => unstorageStore(createStorage(), { timeoutMilliseconds })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
  },
)
