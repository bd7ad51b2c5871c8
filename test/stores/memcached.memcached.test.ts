import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { memcachedStore } from '../../src/memcached.ts'
import type { Store } from '../../src/stores/store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { type Memcached, freePort, startMemcached } from '../support/memcached.ts'
import { startProxy } from '../support/proxy.ts'

let memcached: Memcached
const stores: Store[] = []
beforeAll(async () => {
  memcached = await startMemcached()
})
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})
afterAll(() => memcached.kill())

function open(servers = memcached.address, timeoutMilliseconds = 250): Store {
  const store = memcachedStore({ servers, timeoutMilliseconds })
  stores.push(store)
  return store
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (read: Awaited<ReturnType<Store['read']>>): string =>
  read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('the contract', () => {
  storeContract({ test: (name, run) => test(name, run, 10_000) }, () =>
    memcachedStore({ servers: memcached.address }),
  )
})

describe('a connection that fails', () => {
  test('a cut in the middle of a value never gives its bytes to another read', async () => {
    const proxy = await startProxy(memcached.address)
    const store = open(proxy.address)
    await store.create('cut:alice', bytes('alice'.repeat(200)), 60)
    await store.create('cut:bob', bytes('bob'), 60)
    proxy.rewrite = (chunk, cut) => {
      cut()
      return chunk.subarray(0, 500)
    }
    const reads = await Promise.all([store.read('cut:alice', 60), store.read('cut:bob', 60)])
    expect(reads.map((read) => read.kind)).toEqual(['unavailable', 'unavailable'])
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read('cut:bob', 60))).toBe('bob')
    expect(text(await store.read('cut:alice', 60))).toBe('alice'.repeat(200))
    await proxy.close()
  })

  test("another question's answer is never taken for this one's", async () => {
    const proxy = await startProxy(memcached.address)
    const store = open(proxy.address)
    await store.create('mix:alice', bytes('alice'), 60)
    await store.create('mix:bob', bytes('bobby'), 60)
    // The server's answers come in the wrong order, as through a broken proxy.
    proxy.rewrite = (chunk) => {
      const parts = chunk.toString('latin1').split(/(?=VA )/)
      return Buffer.from(parts.toReversed().join(''), 'latin1')
    }
    const reads = await Promise.all([store.read('mix:alice', 60), store.read('mix:bob', 60)])
    expect(reads.map((read) => read.kind)).toEqual(['unavailable', 'unavailable'])
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read('mix:bob', 60))).toBe('bobby')
    await proxy.close()
  })

  test.each([
    ['garbage', 'hello\r\n'],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['an error', 'SERVER_ERROR out of memory storing object\r\n'],
    ['a value without an end', 'VA 3 c1 O1\r\nabcdef\r\n'],
    ['an answer twice', 'EN O1\r\nEN O1\r\n'],
  ])('%s is unavailable, at once and every time', async (_name, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', () => socket.write(answer))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const store = open(`127.0.0.1:${(server.address() as AddressInfo).port}`)
    const started = performance.now()
    const reads = await Promise.all([store.read('a', 60), store.read('b', 60)])
    expect(reads[1]?.kind).toBe('unavailable')
    expect(reads[0]?.kind).not.toBe('hit')
    expect(performance.now() - started).toBeLessThan(200)
    server.close()
  })

  test('a server that is not there is unavailable within the deadline, and never an uncaught error', async () => {
    const store = open(`127.0.0.1:${await freePort()}`)
    for (let count = 0; count < 20; count++) {
      expect((await store.read('a', 60)).kind).toBe('unavailable')
      await sleep(5)
    }
  })

  test('more operations at once than the cap fail alone', async () => {
    const store = open()
    const reads = await Promise.all(Array.from({ length: 5000 }, () => store.read('cap', 60)))
    expect(reads.filter((read) => read.kind === 'miss').length).toBe(4096)
    expect(reads.filter((read) => read.kind === 'unavailable').length).toBe(904)
    expect((await store.read('cap', 60)).kind).toBe('miss')
  })
})

describe('a server that stops', () => {
  test('frozen under load, every operation ends within its deadline; thawed, it works again', async () => {
    const store = open()
    await store.create('frozen', bytes('value'), 60)
    await memcached.freeze()
    const slowest: number[] = []
    const kinds = new Set<string>()
    const pending: Promise<void>[] = []
    for (let round = 0; round < 100; round++) {
      const started = performance.now()
      pending.push(
        store.read('frozen', 60).then((read) => {
          slowest.push(performance.now() - started)
          kinds.add(read.kind)
        }),
      )
      await sleep(5)
    }
    await Promise.all(pending)
    memcached.thaw()
    expect([...kinds]).toEqual(['unavailable'])
    expect(Math.max(...slowest)).toBeLessThan(400)
    await expect.poll(async () => text(await store.read('frozen', 60)), { timeout: 3000 }).toBe('value')
  })

  test('killed and started again, it is unavailable, then empty', async () => {
    const store = open()
    await store.create('killed', bytes('value'), 60)
    await memcached.kill()
    expect((await store.read('killed', 60)).kind).toBe('unavailable')
    expect((await store.end('killed', bytes('x'), 60)).kind).toBe('unavailable')
    await memcached.restart()
    await expect.poll(async () => (await store.read('killed', 60)).kind, { timeout: 3000 }).toBe('miss')
  })

  test('one cut costs one failure: the next operation connects again at once', async () => {
    const proxy = await startProxy(memcached.address)
    const store = open(proxy.address)
    await store.create('once', bytes('value'), 60)
    proxy.rewrite = (chunk, cut) => {
      cut()
      return chunk.subarray(0, 1)
    }
    expect((await store.read('once', 60)).kind).toBe('unavailable')
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read('once', 60))).toBe('value')
    expect(proxy.connections).toBe(2)
    await proxy.close()
  })
})

describe('options', () => {
  test('two prefixes never meet', async () => {
    const [red, blue] = ['red:', 'blue:'].map((prefix) => {
      const store = memcachedStore({ servers: [memcached.address], prefix })
      stores.push(store)
      return store
    })
    await red?.create('key', bytes('red'), 60)
    expect(await blue?.read('key', 60)).toEqual({ kind: 'miss' })
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
  ])('%j is refused at the start', (options) => {
    expect(() => memcachedStore(options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })
})
