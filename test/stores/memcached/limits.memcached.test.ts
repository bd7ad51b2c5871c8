// When there is no room: in memcached, in its connections, or in ours.
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { maxValueBytes } from '../../../src/stores/argument-checks.ts'
import type { Store } from '../../../src/stores/store.ts'
import { test } from '../../support/memcached-test.ts'
import { startMemcached } from '../../support/memcached.ts'
import { inProcessTime } from '../../support/process-time.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'
import { sleep, until } from '../../support/waiting.ts'

async function tokenOf(store: Store, key: string): Promise<string> {
  const read = await store.read(key, null)
  if (read.kind !== 'hit') throw new Error(`${key}: ${codeOf(read)}`)
  return read.token
}

describe.each(['meta', 'classic'] as const)('in the dialect %s', (dialect) => {
  test('a full memcached is unavailable with its reason, and the connection stays good', async ({ open }) => {
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
  })

  test('an overwriting that failed for lack of room leaves nothing to read', async ({ open }) => {
    const memcached = await startMemcached(['-m', '2', '-M'])
    const store = open({ servers: memcached.address, dialect })
    await store.create('old', bytes('old'), 60)
    const value = new Uint8Array(50_000)
    for (let index = 0; index < 100; index++) await store.create(`fill:${index}`, value, 60)
    expect(codeOf(await store.end('old', value, 60))).toBe('out-of-memory')
    expect((await store.read('old', null)).kind).toBe('miss')
    await memcached.kill()
  })

  test('a value larger than memcached takes is unavailable with its reason', async ({ open }) => {
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
    test.for([
      ['says so', ['-c', '20', '-t', '1']],
      ['says nothing', ['-c', '20', '-t', '1', '-o', 'no_maxconns_fast']],
    ] as const)('a memcached that %s is unavailable, until there is room', async ([, options], { open }) => {
      const memcached = await startMemcached(options)
      const [host = '', port = ''] = memcached.address.split(':')
      const guests: Socket[] = []
      for (let count = 0; count < 20; count++) {
        const guest = connect(Number(port), host)
        guest.on('error', () => guest.destroy())
        guest.write('version\r\n')
        // One that was let in is answered, one that was not is closed, or hears nothing and waits before the store.
        await Promise.race([once(guest, 'data'), once(guest, 'close'), sleep(300)])
        guests.push(guest)
      }
      const store = open({ servers: memcached.address, dialect, timeoutMilliseconds: 200 })
      const { result, milliseconds } = await inProcessTime(() => store.read('a', 60))
      expect(codeOf(result)).toMatch(/^(full|cut|timeout)$/)
      expect(milliseconds).toBeLessThan(300)
      for (const guest of guests) guest.destroy()
      await until('there is room', async () => codeOf(await store.read('a', 60)) === 'miss')
      await memcached.kill()
    })
  },
)

describe('our own limits', () => {
  test('more operations at once than the cap fail alone, connected or not', async ({ open, memcached }) => {
    const store = open({ servers: memcached.address })
    for (let round = 0; round < 2; round++) {
      const reads = await Promise.all(Array.from({ length: 5000 }, () => store.read('cap', 60)))
      expect(reads.filter((read) => read.kind === 'miss').length).toBe(2000)
      expect(reads.filter((read) => codeOf(read) === 'overload').length).toBe(3000)
    }
    const narrow = open({ servers: memcached.address, maxInFlight: 1 })
    const pair = await Promise.all([narrow.read('a', 60), narrow.read('a', 60)])
    expect(pair.map(codeOf)).toEqual(['miss', 'overload'])
  })

  test('bytes that the network does not take are no more than the cap', async ({ open }) => {
    const memcached = await startMemcached()
    const value = new Uint8Array(maxValueBytes)
    // While it connects they wait here.
    const patient = open({ servers: memcached.address, maxQueuedBytes: 8_000_000 })
    const early = await Promise.all(
      Array.from({ length: 12 }, (_, index) => patient.end(`a:${index}`, value, 60)),
    )
    expect(early.map(codeOf)).toEqual([...Array(8).fill('stored'), ...Array(4).fill('overload')])
    const store = open({ servers: memcached.address, maxQueuedBytes: 8_000_000, timeoutMilliseconds: 300 })
    const isConnected = async (): Promise<boolean> => (await store.read('a:0', 60)).kind === 'hit'
    await until('the store has a connection', isConnected)
    await memcached.freeze()
    const late: Promise<string>[] = []
    for (let index = 0; index < 60; index++) {
      late.push(store.end(`b:${index}`, value, 60).then(codeOf))
      // What was written leaves for the system in the turn after it.
      await nextTurn()
    }
    const codes = await Promise.all(late)
    memcached.thaw()
    expect(codes.filter((code) => code === 'overload').length).toBeGreaterThan(30)
    expect(codes.filter((code) => code === 'timeout').length).toBeGreaterThan(0)
    await until('the store works again', isConnected)
    await memcached.kill()
  })

  test('a line before a value that is not understood ends the connection', async ({ open }) => {
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
