import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../src/memory.ts'
import { storeContract } from '../../src/testing/store-contract.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('the memory store', () => {
  describe.concurrent('the contract', () => {
    storeContract({ test: (name, run) => test(name, run, 60_000) }, () => memoryStore())
  })

  test('a full store forgets the least recently used session', async () => {
    const store = memoryStore({ maxSessions: 2 })
    await store.create('a', bytes('a'), 60)
    await store.create('b', bytes('b'), 60)
    await store.read('a', 60)
    await store.create('c', bytes('c'), 60)
    expect(await store.read('b', 60)).toEqual({ kind: 'miss' })
    expect((await store.read('a', 60)).kind).toBe('hit')
    expect((await store.read('c', 60)).kind).toBe('hit')
  })

  test('lifetimes end by the clock that the store was given', async () => {
    let now = 0
    const store = memoryStore({ clock: () => now })
    await store.create('a', bytes('a'), 10)
    now = 9999
    expect((await store.read('a', 10)).kind).toBe('hit')
    now = 19_999
    expect((await store.read('a', 10)).kind).toBe('miss')
    expect((await store.replace('a', bytes('b'), { token: '1', ttlSeconds: 1 })).kind).toBe('missing')
  })

  test('a stored value stays when the caller changes the bytes later', async () => {
    const store = memoryStore()
    const value = bytes('mine')
    await store.create('a', value, 60)
    value.fill(0)
    const read = await store.read('a', 60)
    if (read.kind === 'hit') read.value.fill(0)
    expect(await store.read('a', 60)).toMatchObject({ kind: 'hit', value: bytes('mine') })
  })

  test.each([0, -1, 1.5, Number.NaN])('maxSessions of %s is refused', (maxSessions) => {
    expect(() => memoryStore({ maxSessions })).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })
})
