// Three real memcacheds as one store: the contract, and what is left when one of them is killed, frozen or emptied.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import { rankServers } from '../../../src/stores/memcached/rendezvous.ts'
import type { Store } from '../../../src/stores/store.ts'
import { storeContract } from '../../../src/testing/store-contract.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { bytes, openLoop, sleep, text } from '../../support/store-helpers.ts'
import { startTraffic } from '../../support/traffic.ts'

let nodes: Memcached[]
const stores: Store[] = []
beforeAll(async () => {
  nodes = await Promise.all([0, 1, 2].map(() => startMemcached()))
})
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})
afterAll(() => Promise.all(nodes.map((node) => node.kill())))

function open(copies: 1 | 2, options: Partial<MemcachedStoreOptions> = {}): Store {
  const store = memcachedStore({ servers: nodes.map(({ address }) => address), copies, ...options })
  stores.push(store)
  return store
}

/** One of the three, by itself. */
function only(node: Memcached | undefined): Store {
  const store = memcachedStore({ servers: node?.address ?? '' })
  stores.push(store)
  return store
}

const fresh = (): string => `pool:${Math.random().toString(36).slice(2)}`
/** The node that a key's first copy is on, or its second. */
const holder = (key: string, copy: 0 | 1): Memcached | undefined => {
  const ranked = rankServers(
    nodes.map((node) => ({ name: node.address, node })),
    key,
  )
  return ranked[copy]?.node
}

describe.each([1, 2] as const)('the contract, with %i copies', (copies) => {
  storeContract({ test: (name, run) => test(name, run, 10_000) }, () => {
    return memcachedStore({ servers: nodes.map(({ address }) => address), copies })
  })
})

describe('which nodes hold a key', () => {
  const named = (names: string) => [...names].map((name) => ({ name }))
  const keys = Array.from({ length: 30_000 }, (_, index) => `sm1:${index}`)

  test('is spread evenly, first and second copy', () => {
    for (const copy of [0, 1]) {
      const counts = new Map<string, number>()
      for (const key of keys) {
        const { name } = rankServers(named('abc'), key)[copy] ?? { name: '' }
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
      for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500)
    }
  })

  test('changes for the share of a node that joins, and for no other key', () => {
    const moved = keys.filter(
      (key) => rankServers(named('abc'), key)[0]?.name !== rankServers(named('abcd'), key)[0]?.name,
    )
    expect(Math.abs(moved.length - 7500)).toBeLessThan(400)
    for (const key of moved) expect(rankServers(named('abcd'), key)[0]?.name).toBe('d')
  })

  test('depends on names and not on their order', () => {
    for (const key of keys.slice(0, 1000)) {
      expect(rankServers(named('abc'), key).map(({ name }) => name)).toEqual(
        rankServers(named('cba'), key).map(({ name }) => name),
      )
    }
  })

  test('with one copy, a node that is away makes its keys unavailable, and nobody else has them', async () => {
    const store = open(1)
    const all = Array.from({ length: 60 }, fresh)
    for (const key of all) await store.create(key, bytes(key), 60)
    const [gone] = nodes
    await gone?.freeze()
    try {
      for (const key of all) {
        const isGone = holder(key, 0) === gone
        expect((await store.read(key, 60)).kind).toBe(isGone ? 'unavailable' : 'hit')
      }
    } finally {
      gone?.thaw()
    }
  })
})

describe('with two copies', () => {
  test.each([0, 1] as const)('copy %i is on its own node, and mended when that lost it', async (copy) => {
    const store = open(2)
    const key = fresh()
    await store.create(key, bytes('value'), 60)
    await holder(key, copy)?.restart()
    await expect.poll(async () => text(await store.read(key, 60))).toBe('value')
    await expect.poll(async () => (await only(holder(key, copy)).read(key, null)).kind).toBe('hit')
  })

  test('an older copy is never shown and is mended, also by a write', async () => {
    const store = open(2)
    const key = fresh()
    await store.create(key, bytes('old'), 60)
    const old = await only(holder(key, 0)).read(key, null)
    const read = await store.read(key, 60)
    if (read.kind !== 'hit' || old.kind !== 'hit') throw new Error('It is there.')
    expect((await store.replace(key, bytes('new'), { token: read.token, ttlSeconds: 60 })).kind).toBe(
      'stored',
    )
    for (const copy of [0, 1] as const) {
      // As a node does that was away.
      await only(holder(key, copy)).end(key, old.value, 60)
      expect(text(await store.read(key, 60))).toBe('new')
      await expect.poll(async () => (await only(holder(key, copy)).read(key, null)).kind).toBe('hit')
    }
    await expect.poll(async () => text(await only(holder(key, 1)).read(key, null))).toContain('new')
  })

  test.each(['meta', 'classic', 'auto'] as const)(
    'in the dialect %s, one of three killed and started empty in traffic: no acknowledged write lost, no wrong value',
    { timeout: 60_000 },
    async (dialect) => {
      const traffic = await startTraffic(open(2, { dialect }), Array.from({ length: 50 }, fresh))
      await sleep(500)
      const killedAt = performance.now()
      await nodes[1]?.kill()
      await sleep(1500)
      await nodes[1]?.restart()
      await sleep(2000)
      const { served, refused, lost, wrong, lastRefusedAt } = await traffic.stop()
      const recovered = Math.max(0, Math.round(lastRefusedAt - killedAt))
      console.log(
        `one of three killed, ${dialect}: ${served} reads served, ${refused} refused, the last ${recovered} ms after the kill`,
      )
      expect({ lost, wrong }).toEqual({ lost: 0, wrong: 0 })
      expect(served).toBeGreaterThan(1000)
      expect(recovered).toBeLessThan(1000)
    },
  )

  test(
    'one of three frozen under 250 operations a second: reads are served, and every operation ends within the deadline',
    { timeout: 60_000 },
    async () => {
      const deadline = 250
      const store = open(2, { timeoutMilliseconds: deadline })
      const keys = Array.from({ length: 30 }, fresh)
      for (const key of keys) await store.create(key, bytes(key), 60)
      const [away] = nodes
      const timers = [setTimeout(() => void away?.freeze(), 500), setTimeout(() => away?.thaw(), 2000)]
      const samples = await openLoop({
        everyMilliseconds: 4,
        forMilliseconds: 4000,
        async run(index) {
          const key = keys[index % keys.length] ?? ''
          // Of eight operations five are reads; each kind of write is among the others.
          if (index % 8 === 1) return `create ${(await store.create(fresh(), bytes('new'), 60)).kind}`
          if (index % 8 === 4) return `end ${(await store.end(fresh(), bytes('ended'), 60)).kind}`
          const read = await store.read(key, 60)
          if (read.kind !== 'hit') return `read ${read.kind}`
          if (text(read) !== key) return 'read wrong'
          if (index % 8 !== 6) return 'read hit'
          // Timed by itself: the read before it has a deadline of its own.
          const started = performance.now()
          await store.replace(key, bytes(key), { token: read.token, ttlSeconds: 60 })
          return `replace in ${Math.round(performance.now() - started)}`
        },
      })
      timers.forEach(clearTimeout)
      const changes = samples.filter(({ outcome }) => outcome.startsWith('replace'))
      const others = samples.filter(({ outcome }) => !outcome.startsWith('replace'))
      const worst = Math.max(
        ...others.map(({ milliseconds }) => milliseconds),
        ...changes.map(({ outcome }) => Number(outcome.split(' ')[2])),
      )
      const kinds = new Set(others.map(({ outcome }) => outcome))
      console.log(`one of three frozen: the worst of ${samples.length} answers after ${Math.round(worst)} ms`)
      expect(worst).toBeLessThanOrEqual(deadline + 100)
      expect([...kinds].filter((kind) => kind.startsWith('read'))).toEqual(['read hit'])
      expect([...kinds].filter((kind) => kind.startsWith('end'))).toEqual(['end stored'])
    },
  )

  test(
    '930 sessions that ended while a node was away stay ended when it is back with all of them',
    { timeout: 60_000 },
    async () => {
      const store = open(2)
      const away = nodes[2]
      const keys: string[] = []
      while (keys.length < 930) {
        const key = fresh()
        if (holder(key, 0) === away || holder(key, 1) === away) keys.push(key)
      }
      await Promise.all(keys.map((key) => store.create(key, bytes('live'), 600)))
      await away?.freeze()
      // The node must be known to be away, as it is after a moment of traffic.
      const ends = await Promise.all(keys.map((key) => store.end(key, bytes('tombstone'), 600)))
      expect(new Set(ends.map(({ kind }) => kind))).toEqual(new Set(['stored']))
      away?.thaw()
      await sleep(1500)
      const reads = await Promise.all(keys.map((key) => store.read(key, 600)))
      expect(reads.filter((read) => text(read) === 'live')).toEqual([])
      await expect
        .poll(async () => text(await store.read(keys[0] ?? '', 600)), { timeout: 5000 })
        .toBe('tombstone')
      // It was told before it was believed: even when the others are gone, it does not bring any back.
      const alone = only(away)
      await expect
        .poll(
          async () =>
            (await Promise.all(keys.map((key) => alone.read(key, null)))).filter(
              (read) => text(read) === 'live',
            ).length,
          { timeout: 10_000 },
        )
        .toBe(0)
    },
  )

  test.each([0, 1] as const)(
    'a change that copy %i has no room for is not acknowledged, and neither node loses what it has',
    async (place) => {
      const [first, full] = await Promise.all([startMemcached(), startMemcached(['-m', '2', '-M'])])
      const store = memcachedStore({ servers: [first.address, full.address], copies: 2 })
      stores.push(store)
      let key = fresh()
      const names = [first.address, full.address].map((name) => ({ name }))
      while (rankServers(names, key)[place]?.name !== full.address) key = fresh()
      await store.create(key, bytes('small'), 60)
      for (let index = 0; index < 100; index++) await only(full).create(fresh(), new Uint8Array(50_000), 60)
      const read = await store.read(key, 60)
      const token = read.kind === 'hit' ? read.token : ''
      const large = 'large'.repeat(10_000)
      const changed = await store.replace(key, bytes(large), { token, ttlSeconds: 60 })
      expect(changed).toMatchObject({ kind: 'unavailable', cause: { code: 'out-of-memory' } })
      // Stored or not, as `unavailable` says; nothing else.
      expect(text(await store.read(key, 60))).toBe(place === 0 ? 'small' : large)
      for (const node of [first, full]) expect((await only(node).read(key, null)).kind).toBe('hit')
      await Promise.all([first.kill(), full.kill()])
    },
    20_000,
  )

  test('what is away is told on a channel, and so is its return', { timeout: 20_000 }, async () => {
    const told: string[] = []
    const note = (message: unknown): void => void told.push((message as { state: string }).state)
    subscribe('session-mirror:node', note)
    const store = open(2)
    const key = fresh()
    await store.create(key, bytes('value'), 60)
    await holder(key, 0)?.freeze()
    await store.read(key, 60)
    await store.end(key, bytes('tombstone'), 60)
    await store.read(key, 60)
    holder(key, 0)?.thaw()
    await expect.poll(async () => text(await store.read(key, 60)), { timeout: 5000 }).toBe('tombstone')
    const stateAfterRead = async (): Promise<string | undefined> => {
      await store.read(key, 60)
      return told.at(-1)
    }
    await expect.poll(stateAfterRead, { timeout: 5000 }).toBe('up')
    unsubscribe('session-mirror:node', note)
    expect(told).toContain('down')
    expect(told).toContain('held')
  })
})

test.each([
  ['two copies on one server', { servers: ['127.0.0.1:1'], copies: 2 as const }],
  ['three copies', { servers: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'], copies: 3 as never }],
  ['one server twice', { servers: ['127.0.0.1:1', '127.0.0.1:1'] }],
  ['no server', { servers: [] }],
  ['a name with a space', { servers: [{ name: 'a b', address: '127.0.0.1:1' }] }],
])('%s is refused at the start', (_, options) => {
  expect(() => memcachedStore(options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
})
