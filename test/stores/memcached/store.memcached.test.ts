import { describe, expect } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { contractTests, test } from '../../support/memcached-test.ts'
import { bytes, text } from '../../support/store-helpers.ts'

describe.concurrent.each(['meta', 'classic', 'auto'] as const)('the contract in the dialect %s', (dialect) =>
  contractTests({ dialect }),
)

describe.each(['meta', 'classic'] as const)('in the dialect %s', (dialect) => {
  test('none of 200 increments at once is lost', async ({ open }) => {
    const store = open({ dialect })
    const key = `count:${dialect}`
    await store.create(key, bytes('0'), 60)
    let conflicts = 0
    const increment = async (): Promise<void> => {
      for (;;) {
        const read = await store.read(key, 60)
        if (read.kind !== 'hit') throw new Error(read.kind)
        const value = bytes(String(Number(text(read)) + 1))
        const replaced = await store.replace(key, value, { token: read.token, ttlSeconds: 60 })
        if (replaced.kind === 'stored') return
        expect(replaced.kind).toBe('conflict')
        conflicts++
      }
    }
    await Promise.all(Array.from({ length: 200 }, increment))
    expect(text(await store.read(key, 60))).toBe('200')
    expect(conflicts).toBeGreaterThan(0)
  })

  test.for([2_592_000, 2_592_001, 31_536_000, 2_147_483_647])(
    'a lifetime of %i seconds is one',
    async (ttl, { open }) => {
      const store = open({ dialect })
      const key = `life:${dialect}:${ttl}`
      expect((await store.create(key, bytes('one'), ttl)).kind).toBe('stored')
      expect(text(await store.read(key, ttl))).toBe('one')
      const read = await store.read(key, null)
      const token = read.kind === 'hit' ? read.token : '0'
      expect((await store.replace(key, bytes('two'), { token, ttlSeconds: ttl })).kind).toBe('stored')
      expect((await store.end(key, bytes('three'), ttl)).kind).toBe('stored')
      expect(text(await store.read(key, ttl))).toBe('three')
    },
  )

  test('values that look like answers come back as they are, one after the other', async ({ open }) => {
    const store = open({ dialect })
    const values = [
      'END\r\n',
      'VALUE k 0 5 1\r\nhello\r\nEND\r\n',
      'VA 5 s5 c1 O1\r\nhello\r\n',
      'STORED\r\n',
      '\r\n',
    ]
    await Promise.all(values.map((value, index) => store.end(`like:${dialect}:${index}`, bytes(value), 60)))
    const reads = await Promise.all(values.map((_, index) => store.read(`like:${dialect}:${index}`, 60)))
    expect(reads.map(text)).toEqual(values)
  })
})

describe('options', () => {
  test('two prefixes never meet', async ({ open }) => {
    const [red, blue] = [open({ prefix: 'red:' }), open({ prefix: 'blue:' })]
    await red.create('key', bytes('red'), 60)
    expect(await blue.read('key', 60)).toEqual({ kind: 'miss' })
  })

  test.each([
    { servers: '' },
    { servers: 'localhost' },
    { servers: 'localhost:0' },
    { servers: 'localhost:99999' },
    { servers: 'local host:11211' },
    { servers: [] },
    { servers: 'a:11211', prefix: 'a b' },
    { servers: 'a:11211', timeoutMilliseconds: 0 },
    { servers: 'a:11211', dialect: 'binary' as 'auto' },
    { servers: 'a:11211', maxInFlight: 0 },
    { servers: 'a:11211', maxQueuedBytes: 1.5 },
    { servers: 'a:11211', username: 'joe' },
    { servers: 'a:11211', password: 'secret' },
    { servers: 'a:11211', username: 'j oe', password: 'secret' },
    { servers: 'a:11211', username: 'joe', password: 'x\r\nflush_all' },
    { servers: 'a:11211', username: 'joe', password: 'two words' },
    { servers: 'a:11211', username: 'joe', password: 'x'.repeat(300) },
    { servers: 'a:11211', tls: { ca: 'no certificate', key: 'no key' } },
  ])('%j is refused at the start', (options) => {
    expect(() => memcachedStore(options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })
})
