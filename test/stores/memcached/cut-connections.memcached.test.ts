// What a connection may do wrong, between the store and a real memcached or a server that says anything: no
// user's bytes ever reach another one's question.
import { describe, expect } from 'vitest'
import type { Store } from '../../../src/stores/store.ts'
import { test } from '../../support/memcached-test.ts'
import { inProcessTime, startProcessClock } from '../../support/process-time.ts'
import { startProxy } from '../../support/proxy.ts'
import { randomOf } from '../../support/random.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'
import { sleep, until } from '../../support/waiting.ts'

describe.each(['meta', 'classic'] as const)('in the dialect %s', (dialect) => {
  const alice = `${dialect}:alice`
  const bob = `${dialect}:bob`
  const fill = async (store: Store): Promise<void> => {
    await store.end(alice, bytes('alice'.repeat(200)), 60)
    await store.end(bob, bytes('bobby'), 60)
  }

  test('a cut in the middle of a value never gives its bytes to another read', async ({ open, proxy }) => {
    const store = open({ servers: proxy.address, dialect })
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

  test('half a reply is unavailable at the deadline, and the other half reaches nobody', async ({
    open,
    proxy,
  }) => {
    await fill(open({ dialect }))
    const store = open({ servers: proxy.address, dialect, timeoutMilliseconds: 100 })
    await until('the store has a connection', async () => text(await store.read(bob, 60)) === 'bobby')
    let rest = Buffer.alloc(0)
    proxy.rewrite = (chunk) => {
      if (chunk.length > 500) rest = Buffer.from(chunk.subarray(500))
      return chunk.subarray(0, 500)
    }
    const codes = new Set<string>()
    await until('half a reply has come', async () => {
      codes.add(codeOf(await store.read(alice, 60)))
      return rest.length > 100
    })
    // Left alone after the first one; on a busy machine that one may have ended before anything came.
    codes.delete('resting')
    expect([...codes]).toEqual(['timeout'])
    // A broken proxy puts the other half before what it says next.
    proxy.rewrite = (chunk) => {
      const late = Buffer.concat([rest, chunk])
      rest = Buffer.alloc(0)
      return late
    }
    const seen = new Set<string>()
    await until('the store works again', async () => {
      const said = text(await store.read(bob, 60))
      seen.add(said)
      return said === 'bobby'
    })
    expect([...seen].toSorted()).toEqual(['bobby', 'unavailable'])
    expect(rest.length).toBe(0)
  })

  test("another question's answer is never taken for this one's", async ({ open, proxy }) => {
    const store = open({ servers: proxy.address, dialect })
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

  test('everybody gets their own value when answers are cut into any pieces', async ({ open, memcached }) => {
    const store = open({ dialect })
    const keys = Array.from({ length: 100 }, (_, index) => `${dialect}:own:${index}`)
    await Promise.all(keys.map((key) => store.end(key, bytes(`${key} END\r\n`.repeat(20)), 60)))
    const random = randomOf(7)
    const slow = await startProxy(memcached.address)
    const behind = open({ dialect, servers: slow.address })
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
          await sleep(20)
          continue
        }
        expect(text(read)).toBe(`${key} END\r\n`.repeat(20))
        seen.hits++
      }
    }
    await Promise.all(keys.map(user))
    await slow.close()
  })

  const goodGreeting = (said: string): string | undefined =>
    said.includes('session-mirror:probe') ? (dialect === 'meta' ? 'EN Oprobe\r\n' : 'END\r\n') : undefined

  test.for([
    ['garbage', 'hello\r\n'],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['an error', 'SERVER_ERROR out of memory storing object\r\n'],
    ['a value without an end', 'VA 3 s3 c1 O1\r\nabcdef\r\n'],
    ['a classic value without an end', 'VALUE a 0 3 1\r\nabcdef\r\n'],
    ['an answer twice', 'EN O1\r\nEN O1\r\n'],
  ] as const)('%s is unavailable, at once and every time', async ([, answer], { open }) => {
    for (const greeting of [goodGreeting, () => undefined]) {
      const server = await startScriptedServer((said) => greeting(said) ?? answer)
      const store = open({ dialect, servers: server.address })
      const { result: reads, milliseconds } = await inProcessTime(() =>
        Promise.all([store.read('a', 60), store.read('b', 60)]),
      )
      expect(reads[1]?.kind).toBe('unavailable')
      expect(reads[0]?.kind).not.toBe('hit')
      expect(reads.map(codeOf)).not.toContain('timeout')
      expect(milliseconds).toBeLessThan(200)
      await server.close()
    }
  })

  test('200 kinds of garbage are unavailable within the deadline', async ({ open }) => {
    const random = randomOf(8)
    const clock = startProcessClock()
    const server = await startScriptedServer((said) => {
      const greeting = goodGreeting(said)
      if (greeting !== undefined) return greeting
      const length = 1 + Math.floor(random() * 60)
      return String.fromCharCode(...Array.from({ length }, () => Math.floor(random() * 256)))
    })
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const store = open({ dialect, servers: server.address, timeoutMilliseconds: 400 })
        const started = clock.now()
        const outcomes = await Promise.all([
          store.read('a', 60),
          store.create('b', bytes('x'), 60),
          store.replace('c', bytes('x'), { token: '1', ttlSeconds: 60 }),
        ])
        expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable', 'unavailable'])
        expect(clock.now() - started).toBeLessThan(900)
      }),
    )
    clock.stop()
    await server.close()
  })
})
