// When there is no room: in memcached, in its connections, or in ours.
import { type Socket, connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import { maxValueBytes } from '../../../src/stores/argument-checks.ts'
import type { Store } from '../../../src/stores/store.ts'
import { startMemcached } from '../../support/memcached.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, sleep, text } from '../../support/store-helpers.ts'

const stores: Store[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})

function open(options: MemcachedStoreOptions): Store {
  const store = memcachedStore({ timeoutMilliseconds: 1000, ...options })
  stores.push(store)
  return store
}

async function tokenOf(store: Store, key: string): Promise<string> {
  const read = await store.read(key, null)
  if (read.kind !== 'hit') throw new Error(`${key}: ${codeOf(read)}`)
  return read.token
}

describe.each(['meta', 'classic'] as const)('in the dialect %s', (dialect) => {
  test('a full memcached is unavailable with its reason, and the connection stays good', async () => {
    // No more than two megabytes, and nothing is evicted. (One megabyte does not start: its items would be too large.)
    const memcached = await startMemcached(['-m', '2', '-M'])
    const store = open({ servers: memcached.address, dialect })
    const value = new Uint8Array(50_000)
    await store.create('small', bytes('small'), 60)
    const outcomes: string[] = []
    for (let index = 0; index < 100; index++)
      outcomes.push(codeOf(await store.create(`fill:${index}`, value, 60)))
    expect(new Set(outcomes)).toEqual(new Set(['stored', 'out-of-memory']))
    const last = outcomes.lastIndexOf('stored')

    // In flight together, each gets its own outcome.
    const mixed = await Promise.all([
      store.read('small', 60),
      store.create('more', value, 60),
      store.read('small', 60),
      store.create('more', value, 60),
    ])
    expect([text(mixed[0]), codeOf(mixed[1]), text(mixed[2]), codeOf(mixed[3])]).toEqual([
      'small',
      'out-of-memory',
      'small',
      'out-of-memory',
    ])

    // What was to be replaced stays, small or large, and can be read and replaced again.
    for (const key of [`fill:${last}`, 'small']) {
      const token = await tokenOf(store, key)
      expect(codeOf(await store.replace(key, value, { token, ttlSeconds: 60 }))).toBe('out-of-memory')
      expect(codeOf(await store.create(key, value, 60))).toBe('out-of-memory')
      expect(await tokenOf(store, key)).toBe(token)
    }
    expect(text(await store.read('small', 60))).toBe('small')
    const again = { token: await tokenOf(store, 'small'), ttlSeconds: 60 }
    expect((await store.replace('small', bytes('other'), again)).kind).toBe('stored')
    await memcached.kill()
  }, 20_000)

  test('an overwriting that failed for lack of room leaves nothing to read', async () => {
    const memcached = await startMemcached(['-m', '2', '-M'])
    const store = open({ servers: memcached.address, dialect })
    await store.create('old', bytes('old'), 60)
    const value = new Uint8Array(50_000)
    for (let index = 0; index < 100; index++) await store.create(`fill:${index}`, value, 60)
    expect(codeOf(await store.end('old', value, 60))).toBe('out-of-memory')
    expect((await store.read('old', null)).kind).toBe('miss')
    await memcached.kill()
  }, 20_000)

  test('a value larger than memcached takes is unavailable with its reason', async () => {
    const memcached = await startMemcached(['-I', '512k'])
    const store = open({ servers: memcached.address, dialect })
    await store.create('large', bytes('small'), 60)
    const [created, read] = await Promise.all([
      store.create('larger', new Uint8Array(maxValueBytes), 60),
      store.read('large', 60),
    ])
    expect(codeOf(created)).toBe('too-large')
    expect(text(read)).toBe('small')
    const token = await tokenOf(store, 'large')
    const outcome = await store.replace('large', new Uint8Array(maxValueBytes), { token, ttlSeconds: 60 })
    expect(codeOf(outcome)).toBe('too-large')
    expect(text(await store.read('large', null))).toBe('small')
    // The same goes for storing where something is.
    await store.end('there', bytes('small'), 60)
    expect(codeOf(await store.create('there', new Uint8Array(maxValueBytes), 60))).toBe('too-large')
    expect(text(await store.read('there', null))).toBe('small')
    await memcached.kill()
  })
})

describe.each(['meta', 'classic', 'auto'] as const)(
  'the limit of connections, in the dialect %s',
  (dialect) => {
    // Memcached counts its own descriptors too: with less than this it does not start.
    test.each([
      ['says so', ['-c', '20', '-t', '1']],
      ['says nothing', ['-c', '20', '-t', '1', '-o', 'no_maxconns_fast']],
    ])('of a memcached that %s is unavailable, and over when there is room', async (_name, options) => {
      const memcached = await startMemcached(options)
      const [host = '', port = ''] = memcached.address.split(':')
      const guests: Socket[] = []
      for (let count = 0; count < 20; count++) {
        const guest = connect(Number(port), host)
        guest.on('error', () => guest.destroy())
        guest.write('version\r\n')
        guests.push(guest)
        await sleep(10)
      }
      const store = open({ servers: memcached.address, dialect, timeoutMilliseconds: 200 })
      const started = performance.now()
      expect(codeOf(await store.read('a', 60))).toMatch(/^(full|cut|timeout)$/)
      expect(performance.now() - started).toBeLessThan(300)
      for (const guest of guests) guest.destroy()
      await expect.poll(() => store.read('a', 60).then(codeOf), { timeout: 5000 }).toBe('miss')
      await memcached.kill()
    })
  },
)

describe('our own limits', () => {
  test('more operations at once than the cap fail alone, connected or not', async () => {
    const memcached = await startMemcached()
    const store = open({ servers: memcached.address })
    for (let round = 0; round < 2; round++) {
      const reads = await Promise.all(Array.from({ length: 5000 }, () => store.read('cap', 60)))
      expect(reads.filter((read) => read.kind === 'miss').length).toBe(2000)
      expect(reads.filter((read) => codeOf(read) === 'overload').length).toBe(3000)
    }
    const narrow = open({ servers: memcached.address, maxInFlight: 1 })
    const pair = await Promise.all([narrow.read('a', 60), narrow.read('a', 60)])
    expect(pair.map(codeOf)).toEqual(['miss', 'overload'])
    await memcached.kill()
  })

  test('bytes that the network does not take are no more than the cap', async () => {
    const memcached = await startMemcached()
    const store = open({ servers: memcached.address, maxQueuedBytes: 8_000_000, timeoutMilliseconds: 300 })
    const value = new Uint8Array(maxValueBytes)
    // While it connects they wait here.
    const early = await Promise.all(
      Array.from({ length: 12 }, (_, index) => store.end(`a:${index}`, value, 60)),
    )
    expect(early.map(codeOf)).toEqual([...Array(8).fill('stored'), ...Array(4).fill('overload')])
    await memcached.freeze()
    const late = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        await sleep(index)
        return codeOf(await store.end(`b:${index}`, value, 60))
      }),
    )
    memcached.thaw()
    expect(late.filter((code) => code === 'overload').length).toBeGreaterThan(30)
    expect(late.filter((code) => code === 'timeout').length).toBeGreaterThan(0)
    await expect.poll(() => store.read('a:0', 60).then(({ kind }) => kind), { timeout: 5000 }).toBe('hit')
    await memcached.kill()
  })

  test('a line before a value that is not understood ends the connection', async () => {
    const heard: string[] = []
    const server = await startScriptedServer((said) => {
      heard.push(said)
      return said.includes('session-mirror:probe') ? 'ERROR\r\n' : 'STORED\r\n'
    })
    const store = open({ servers: server.address, dialect: 'meta' })
    const value = bytes('x\r\nflush_all\r\n')
    expect(codeOf(await store.end('a', value, 60))).toBe('protocol')
    // It never heard the value, which it would have taken for a command.
    expect(heard.join('')).not.toContain('flush_all')
    await server.close()
  })
})
