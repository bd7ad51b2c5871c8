import { describe, expect, test } from 'vitest'
import { cookieStore, spillStore } from '../../src/cookie.ts'
import { memoryStore } from '../../src/memory.ts'
import type { OpenedStore } from '../../src/stores/store.ts'
import { carriedStoreContract, storeContract } from '../../src/testing.ts'
import { watchStore } from '../server/harness.ts'

const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill)
const run = (name: string, body: () => Promise<void>): void => test.concurrent(name, body, 20_000)
const nothing = (): undefined => undefined

describe('the cookie store', () => {
  carriedStoreContract({ test: run }, () => cookieStore(), { maxBytes: 2800 })

  test('a value that no browser would keep is refused, and the session stays as it was', async () => {
    const opened = cookieStore({ maxBytes: 100 }).open(nothing)
    await opened.create('a', bytes(100), 60)
    const { token } = await hit(opened, 'a')
    const refused = opened.replace('a', bytes(101), { token, ttlSeconds: 60 })
    await expect(refused).rejects.toMatchObject({ code: 'too-large' })
    expect((await hit(opened, 'a')).value).toHaveLength(100)
  })

  test('a limit that no browser would take is refused at the start', () => {
    for (const maxBytes of [0, 2801, 1.5, Number.NaN])
      expect(() => cookieStore({ maxBytes })).toThrow(/maxBytes/)
  })
})

describe('sessions in the cookie that spill over', () => {
  const spill = (tombstones: boolean) => spillStore(cookieStore(), memoryStore(), { tombstones })
  describe('with tombstones', () =>
    carriedStoreContract({ test: run }, () => spill(true), { maxBytes: 999_993 }))
  describe('without tombstones', () =>
    carriedStoreContract({ test: run }, () => spill(false), { maxBytes: 999_993 }))
  describe('within one request, where nothing fits in the cookie', () =>
    storeContract({ test: run }, openTiny, { maxBytes: 999_993 }))

  for (const tombstones of [true, false]) {
    describe(tombstones ? 'asking for ends' : 'asking for nothing', () => {
      const world = (): { large: ReturnType<typeof watchStore>; open(carried?: Uint8Array): OpenedStore } => {
        const large = watchStore(memoryStore())
        const store = spillStore(cookieStore({ maxBytes: 100 }), large, { tombstones })
        return { large, open: (carried) => store.open(() => carried) }
      }

      test('a session that grows leaves the cookie, and comes back when it is small again', async () => {
        const { open, large } = world()
        const one = open()
        await one.create('a', bytes(50), 60)
        expect(large.calls).toEqual([])
        const two = open(one.carriedFor('a'))
        expect(await change(two, 'a', bytes(500))).toBe('stored')
        expect(two.carriedFor('a')).toBeUndefined()
        expect(two.isChanged).toBe(true)
        const three = open()
        expect((await hit(three, 'a')).value).toHaveLength(500)
        expect(three.isChanged).toBe(false)
        expect(await change(three, 'a', bytes(90))).toBe('stored')
        expect(three.carriedFor('a')).toBeUndefined() // It would leave with the next byte.
        expect(await change(three, 'a', bytes(60))).toBe('stored')
        const four = open(three.carriedFor('a'))
        expect((await hit(four, 'a')).value).toHaveLength(60)
        expect(await change(four, 'a', bytes(70, 4))).toBe('stored')
        expect((await hit(open(four.carriedFor('a')), 'a')).value).toEqual(bytes(70, 4))
      })

      test('a request that was on its way while the session moved loses nothing', async () => {
        const { open } = world()
        const one = open()
        await one.create('a', bytes(50), 60)
        const [first, second] = [open(one.carriedFor('a')), open(one.carriedFor('a'))]
        const { token } = await hit(second, 'a')
        expect(await change(first, 'a', bytes(500))).toBe('stored')
        const late = await second.replace('a', bytes(600), { token, ttlSeconds: 60 })
        expect(late.kind).toBe('conflict')
        expect((await hit(second, 'a')).value).toHaveLength(500)
        expect(await change(second, 'a', bytes(600))).toBe('stored')
        expect((await hit(open(), 'a')).value).toHaveLength(600)
      })

      test('the copy that a session left in the large store is overwritten when it leaves the cookie again', async () => {
        const { open } = world()
        const one = open()
        await one.create('a', bytes(500), 60)
        await change(one, 'a', bytes(50))
        const two = open(one.carriedFor('a'))
        await change(two, 'a', bytes(60))
        const three = open(two.carriedFor('a'))
        expect(await change(three, 'a', bytes(700))).toBe('stored')
        expect(three.carriedFor('a')).toBeUndefined()
        expect((await hit(open(), 'a')).value).toHaveLength(700)
      })

      test('nothing is lost and nothing stored by half while the large store is away', async () => {
        const { open, large } = world()
        const one = open()
        await one.create('a', bytes(50), 60)
        large.broken = true
        const two = open(one.carriedFor('a'))
        const read = await two.read('a', 60)
        expect(read.kind).toBe(tombstones ? 'unavailable' : 'hit')
        large.broken = false
        const { token } = await hit(two, 'a')
        large.broken = true
        expect((await two.replace('a', bytes(500), { token, ttlSeconds: 60 })).kind).toBe('unavailable')
        expect((await two.end('a', bytes(5), 60)).kind).toBe('unavailable')
        expect(two.carriedFor('a')).toEqual(one.carriedFor('a'))
        large.broken = false
        expect((await hit(two, 'a')).value).toHaveLength(50)
      })

      test('an end is an end for what is in the large store, whatever a cookie says', async () => {
        const { open } = world()
        const one = open()
        await one.create('a', bytes(500), 60)
        const two = open()
        const { token } = await hit(two, 'a')
        const ended = await two.replace('a', bytes(5), { token, ttlSeconds: 60, leaves: 'ended' })
        expect(ended.kind).toBe('stored')
        expect((await hit(open(), 'a')).value).toHaveLength(5)
      })
    })
  }
})

function openTiny(): OpenedStore {
  const store = spillStore(cookieStore({ maxBytes: 7 }), memoryStore())
  return Object.assign(store.open(nothing), { close: () => store.close() })
}

async function hit(opened: OpenedStore, key: string): Promise<{ value: Uint8Array; token: string }> {
  const read = await opened.read(key, 60)
  if (read.kind !== 'hit') throw new Error(`Expected a hit, got ${read.kind}.`)
  return { value: Uint8Array.from(read.value), token: read.token }
}

async function change(opened: OpenedStore, key: string, value: Uint8Array): Promise<string> {
  const { token } = await hit(opened, key)
  return (await opened.replace(key, value, { token, ttlSeconds: 60 })).kind
}
