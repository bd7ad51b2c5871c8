// What a connection may do wrong, between the store and a real memcached or a server that says anything: no
// user's bytes ever reach another one's question.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { type Proxy, startProxy } from '../../support/proxy.ts'
import { randomOf } from '../../support/random.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'

let memcached: Memcached
let proxy: Proxy
const stores: Store[] = []
beforeAll(async () => {
  memcached = await startMemcached()
  proxy = await startProxy(memcached.address)
})
afterEach(async () => {
  proxy.rewrite = (chunk) => chunk
  await Promise.all(stores.splice(0).map((store) => store.close()))
})
afterAll(async () => {
  await proxy.close()
  await memcached.kill()
})

function open(options: Partial<MemcachedStoreOptions> = {}): Store {
  const store = memcachedStore({ servers: proxy.address, ...options })
  stores.push(store)
  return store
}

describe.each(['meta', 'classic'] as const)('in the dialect %s', (dialect) => {
  const alice = `${dialect}:alice`
  const bob = `${dialect}:bob`
  const fill = async (store: Store): Promise<void> => {
    await store.end(alice, bytes('alice'.repeat(200)), 60)
    await store.end(bob, bytes('bobby'), 60)
  }

  test('a cut in the middle of a value never gives its bytes to another read', async () => {
    const store = open({ dialect })
    await fill(store)
    proxy.rewrite = (chunk, cut) => {
      cut()
      return chunk.subarray(0, 500)
    }
    const reads = await Promise.all([store.read(alice, 60), store.read(bob, 60)])
    expect(reads.map(codeOf)).toEqual(['cut', 'cut'])
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read(bob, 60))).toBe('bobby')
    expect(text(await store.read(alice, 60))).toBe('alice'.repeat(200))
  })

  test('half a reply is unavailable at the deadline, and the other half reaches nobody', async () => {
    const store = open({ dialect, timeoutMilliseconds: 100 })
    await fill(store)
    let rest = Buffer.alloc(0)
    proxy.rewrite = (chunk) => {
      rest = Buffer.from(chunk.subarray(500))
      return chunk.subarray(0, 500)
    }
    expect(codeOf(await store.read(alice, 60))).toBe('timeout')
    expect(rest.length).toBeGreaterThan(100)
    // A broken proxy puts the other half before what it says next.
    proxy.rewrite = (chunk) => {
      const late = Buffer.concat([rest, chunk])
      rest = Buffer.alloc(0)
      return late
    }
    const seen = new Set<string>()
    await expect
      .poll(
        async () => {
          const said = await store.read(bob, 60)
          seen.add(text(said))
          return text(said)
        },
        { timeout: 3000 },
      )
      .toBe('bobby')
    expect([...seen].toSorted()).toEqual(['bobby', 'unavailable'])
    expect(rest.length).toBe(0)
  })

  test("another question's answer is never taken for this one's", async () => {
    const store = open({ dialect })
    await fill(store)
    // The server's answers come in the wrong order, as through a broken proxy. They come in any pieces: it waits
    // for both.
    let said = ''
    const isWhole = dialect === 'meta' ? /VA[^]*VA[^]*bobby\r\n$/ : /TOUCHED[^]*TOUCHED\r\n$/
    proxy.rewrite = (chunk) => {
      said += chunk.toString('latin1')
      if (!isWhole.test(said)) return Buffer.alloc(0)
      return Buffer.from(
        said
          .split(/(?=VA|TOUCHED)/)
          .toReversed()
          .join(''),
        'latin1',
      )
    }
    const reads = await Promise.all([store.read(alice, 60), store.read(bob, 60)])
    expect(reads.map((read) => read.kind)).toEqual(['unavailable', 'unavailable'])
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read(bob, 60))).toBe('bobby')
  })

  test('with answers cut into any pieces, everybody gets their own', async () => {
    const store = open({ dialect, timeoutMilliseconds: 5000 })
    const keys = Array.from({ length: 100 }, (_, index) => `${dialect}:own:${index}`)
    await Promise.all(keys.map((key) => store.end(key, bytes(`${key} END\r\n`.repeat(20)), 60)))
    const random = randomOf(7)
    const slow = await startProxy(memcached.address)
    const behind = open({ dialect, timeoutMilliseconds: 5000, servers: slow.address })
    const seen = { cuts: 0, hits: 0 }
    slow.rewrite = (chunk, cut) => {
      if (random() > 0.1) return chunk
      seen.cuts++
      cut()
      return chunk.subarray(0, Math.floor(random() * chunk.length))
    }
    const user = async (key: string): Promise<void> => {
      while (seen.cuts < 6 || seen.hits < 500) {
        const read = await behind.read(key, 60)
        if (read.kind === 'unavailable') {
          await new Promise((resolve) => setTimeout(resolve, 20))
          continue
        }
        expect(text(read)).toBe(`${key} END\r\n`.repeat(20))
        seen.hits++
      }
    }
    await Promise.all(keys.map(user))
    await slow.close()
  }, 20_000)

  const goodGreeting = (said: string): string | undefined =>
    said.includes('session-mirror:probe') ? (dialect === 'meta' ? 'EN Oprobe\r\n' : 'END\r\n') : undefined

  test.each([
    ['garbage', 'hello\r\n'],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['an error', 'SERVER_ERROR out of memory storing object\r\n'],
    ['a value without an end', 'VA 3 s3 c1 O1\r\nabcdef\r\n'],
    ['a classic value without an end', 'VALUE a 0 3 1\r\nabcdef\r\n'],
    ['an answer twice', 'EN O1\r\nEN O1\r\n'],
  ])('%s is unavailable, at once and every time', async (_name, answer) => {
    for (const greeting of [goodGreeting, () => undefined]) {
      const server = await startScriptedServer((said) => greeting(said) ?? answer)
      const store = open({ dialect, servers: server.address })
      const started = performance.now()
      const reads = await Promise.all([store.read('a', 60), store.read('b', 60)])
      expect(reads[1]?.kind).toBe('unavailable')
      expect(reads[0]?.kind).not.toBe('hit')
      expect(performance.now() - started).toBeLessThan(200)
      await server.close()
    }
  })

  test('200 kinds of garbage are unavailable within the deadline', async () => {
    const random = randomOf(8)
    const server = await startScriptedServer((said) => {
      const greeting = goodGreeting(said)
      if (greeting !== undefined) return greeting
      const length = 1 + Math.floor(random() * 60)
      return String.fromCharCode(...Array.from({ length }, () => Math.floor(random() * 256)))
    })
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const store = open({ dialect, servers: server.address, timeoutMilliseconds: 400 })
        const started = performance.now()
        const outcomes = await Promise.all([
          store.read('a', 60),
          store.create('b', bytes('x'), 60),
          store.replace('c', bytes('x'), { token: '1', ttlSeconds: 60 }),
        ])
        expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable', 'unavailable'])
        expect(performance.now() - started).toBeLessThan(900)
      }),
    )
    await server.close()
  })
})
