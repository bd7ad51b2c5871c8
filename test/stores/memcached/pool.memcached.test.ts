// Three real memcacheds as one store: the contract, and what is left when one of them is killed, frozen or emptied.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect } from 'vitest'
import { type MemcachedStore, type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import { rankServers } from '../../../src/stores/memcached/rendezvous.ts'
import { contractTestsAt, test as memcachedTest } from '../../support/memcached-test.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { startProcessClock } from '../../support/process-time.ts'
import { bytes, openLoop, text } from '../../support/store-helpers.ts'
import { sleep } from '../../support/waiting.ts'
import { startTraffic } from '../../support/traffic.ts'
import { until } from '../../support/waiting.ts'

type Three = readonly [Memcached, Memcached, Memcached]

interface PoolFixtures {
  /** Three memcacheds for the whole file. */
  readonly servers: Three
  /** Opens a store on the three. */
  readonly openPool: (copies: 1 | 2, options?: Partial<MemcachedStoreOptions>) => MemcachedStore
  /** Opens a store on one of the three, by itself. */
  readonly only: (server: Memcached) => MemcachedStore
}

const test = memcachedTest.extend<PoolFixtures>({
  servers: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
    async ({}, use) => {
      const servers: Three = [await startMemcached(), await startMemcached(), await startMemcached()]
      await use(servers)
      await Promise.all(servers.map((server) => server.kill()))
    },
    { scope: 'file' },
  ],
  openPool: async ({ servers, open }, use) => {
    await use((copies, options = {}) =>
      open({ servers: servers.map(({ address }) => address), copies, ...options }),
    )
  },
  only: async ({ open }, use) => {
    await use(({ address }) => open({ servers: address }))
  },
})

const newKey = (): string => `pool:${Math.random().toString(36).slice(2)}`
/** The server that a key's first copy is on, or its second. */
function holder(servers: Three, key: string, copy: 0 | 1): Memcached {
  const named = servers.map((server) => ({ name: server.address, server }))
  return rankServers(named, key)[copy]?.server ?? servers[0]
}

describe.concurrent.each([1, 2] as const)('the contract, with %i copies', (copies) => {
  contractTestsAt(
    (name, run) => test(name, ({ servers }) => run(servers.map(({ address }) => address)), 60_000),
    () => ({ copies }),
  )
})

describe('which servers hold a key', () => {
  const named = (names: string) => [...names].map((name) => ({ name }))
  const keys = Array.from({ length: 30_000 }, (_, index) => `sm1:${index}`)

  test('first and second copies are spread evenly', () => {
    for (const copy of [0, 1]) {
      const counts = new Map<string, number>()
      for (const key of keys) {
        const { name } = rankServers(named('abc'), key)[copy] ?? { name: '' }
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
      for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500)
    }
  })

  test('a server that joins takes its share of the keys, and no other key moves', () => {
    const moved = keys.filter(
      (key) => rankServers(named('abc'), key)[0]?.name !== rankServers(named('abcd'), key)[0]?.name,
    )
    expect(Math.abs(moved.length - 7500)).toBeLessThan(400)
    for (const key of moved) expect(rankServers(named('abcd'), key)[0]?.name).toBe('d')
  })

  test('the names of servers decide, and not their order', () => {
    for (const key of keys.slice(0, 1000)) {
      expect(rankServers(named('abc'), key).map(({ name }) => name)).toEqual(
        rankServers(named('cba'), key).map(({ name }) => name),
      )
    }
  })

  test('a server that is away makes its keys unavailable with one copy, and nobody else has them', async ({
    servers,
    openPool,
  }) => {
    const store = openPool(1, { timeoutMilliseconds: 5000 })
    const all = Array.from({ length: 60 }, newKey)
    for (const key of all) await store.create(key, bytes(key), 60)
    const [gone] = servers
    await gone.freeze()
    try {
      const reads = await Promise.all(all.map((key) => store.read(key, 60)))
      for (const [index, key] of all.entries()) {
        const isGone = holder(servers, key, 0) === gone
        expect(reads[index]?.kind).toBe(isGone ? 'unavailable' : 'hit')
      }
    } finally {
      gone.thaw()
    }
  })
})

describe('with two copies', () => {
  test.for([0, 1] as const)(
    'copy %i is on its own server, and mended when that lost it',
    async (copy, { servers, openPool, only }) => {
      const store = openPool(2)
      const key = newKey()
      await store.create(key, bytes('value'), 60)
      await holder(servers, key, copy).restart()
      await until('the session is read', async () => text(await store.read(key, 60)) === 'value')
      const alone = only(holder(servers, key, copy))
      await until('the copy is mended', async () => {
        await store.read(key, 60)
        return (await alone.read(key, null)).kind === 'hit'
      })
    },
  )

  test('an older copy is never shown and is mended, also by a write', async ({ servers, openPool, only }) => {
    const store = openPool(2)
    const key = newKey()
    await store.create(key, bytes('old'), 60)
    const old = await only(holder(servers, key, 0)).read(key, null)
    const read = await store.read(key, 60)
    if (read.kind !== 'hit' || old.kind !== 'hit') throw new Error('It is there.')
    expect((await store.replace(key, bytes('new'), { token: read.token, ttlSeconds: 60 })).kind).toBe(
      'stored',
    )
    for (const copy of [0, 1] as const) {
      // As a server does that was away.
      const alone = only(holder(servers, key, copy))
      await alone.end(key, old.value, 60)
      expect(text(await store.read(key, 60))).toBe('new')
      await until('the copy is mended', async () => text(await alone.read(key, null)).includes('new'))
    }
  })

  test.for(['meta', 'classic', 'auto'] as const)(
    'no acknowledged write is lost and no value is wrong when one of three is killed and started empty in traffic, in the dialect %s',
    async (dialect, { annotate, servers, openPool }) => {
      const clock = startProcessClock()
      const keys = Array.from({ length: 50 }, newKey)
      const traffic = await startTraffic(openPool(2, { dialect }), keys, () => clock.now())
      await traffic.untilServed(500)
      const killedAt = clock.now()
      await servers[1].kill()
      await sleep(1500)
      await servers[1].restart()
      await sleep(2000)
      await traffic.untilServed(1500)
      const { served, refused, lost, wrong, lastRefusedAt } = await traffic.stop()
      clock.stop()
      const recovered = Math.max(0, Math.round(lastRefusedAt - killedAt))
      await annotate(`${served} reads served, ${refused} refused, the last ${recovered} ms after the kill`)
      expect({ lost, wrong }).toEqual({ lost: 0, wrong: 0 })
      expect(served).toBeGreaterThan(1000)
      expect(recovered).toBeLessThan(1000)
    },
  )

  test('reads are served and every operation ends within the deadline when one of three is frozen under 250 operations a second', async ({
    annotate,
    open,
    servers,
    openPool,
  }) => {
    // Longer than what a busy machine keeps the two waiting that are not frozen.
    const deadline = 1000
    const store = openPool(2, { timeoutMilliseconds: deadline })
    const keys = Array.from({ length: 30 }, newKey)
    for (const key of keys) await store.create(key, bytes(key), 60)
    const [away] = servers
    const outage = (async () => {
      await sleep(500)
      await away.freeze()
      await sleep(3000)
      away.thaw()
    })()
    // What a server that is not frozen takes meanwhile: on a busy machine it waits for the processor as well.
    const live = open({ servers: servers[1].address })
    const meanwhile = openLoop({
      everyMilliseconds: 4,
      forMilliseconds: 5500,
      run: async () => (await live.read('nobody', null)).kind,
    })
    const clock = startProcessClock()
    const samples = await openLoop({
      everyMilliseconds: 4,
      forMilliseconds: 5500,
      async run(index) {
        const key = keys[index % keys.length] ?? ''
        // Of eight operations five are reads; each kind of write is among the others.
        if (index % 8 === 1) return `create ${(await store.create(newKey(), bytes('new'), 60)).kind}`
        if (index % 8 === 4) return `end ${(await store.end(newKey(), bytes('ended'), 60)).kind}`
        const read = await store.read(key, 60)
        if (read.kind !== 'hit') return `read ${read.kind}`
        if (text(read) !== key) return 'read wrong'
        if (index % 8 !== 6) return 'read hit'
        // Timed by itself: the read before it has a deadline of its own.
        const started = clock.now()
        await store.replace(key, bytes(key), { token: read.token, ttlSeconds: 60 })
        return `replace in ${Math.round(clock.now() - started)}`
      },
    })
    await outage
    clock.stop()
    const changes = samples.filter(({ outcome }) => outcome.startsWith('replace'))
    const others = samples.filter(({ outcome }) => !outcome.startsWith('replace'))
    const worst = Math.max(
      ...others.map(({ milliseconds }) => milliseconds),
      ...changes.map(({ outcome }) => Number(outcome.split(' ')[2])),
    )
    const kinds = new Set(others.map(({ outcome }) => outcome))
    const trip = Math.max(...(await meanwhile).map(({ milliseconds }) => milliseconds))
    await annotate(
      `the worst of ${samples.length} answers after ${Math.round(worst)} ms, a trip took ${trip}`,
    )
    // One deadline for the frozen server, and three trips at most to the others: look, create here, create there.
    expect(worst).toBeLessThanOrEqual(deadline + 100 + 3 * trip)
    expect([...kinds].filter((kind) => kind.startsWith('read'))).toEqual(['read hit'])
    expect([...kinds].filter((kind) => kind.startsWith('end'))).toEqual(['end stored'])
  })

  test('930 sessions that ended while a server was away stay ended when it is back with all of them', async ({
    servers,
    openPool,
    only,
  }) => {
    const store = openPool(2, { timeoutMilliseconds: 5000 })
    const away = servers[2]
    const keys: string[] = []
    while (keys.length < 930) {
      const key = newKey()
      if (holder(servers, key, 0) === away || holder(servers, key, 1) === away) keys.push(key)
    }
    await Promise.all(keys.map((key) => store.create(key, bytes('live'), 600)))
    await away.freeze()
    // The server must be known to be away, as it is after a moment of traffic.
    const ends = await Promise.all(keys.map((key) => store.end(key, bytes('tombstone'), 600)))
    expect(new Set(ends.map(({ kind }) => kind))).toEqual(new Set(['stored']))
    away.thaw()
    await sleep(1500)
    const reads = await Promise.all(keys.map((key) => store.read(key, 600)))
    expect(reads.filter((read) => text(read) === 'live')).toEqual([])
    await until('it is told', async () => text(await store.read(keys[0] ?? '', 600)) === 'tombstone')
    // It was told before it was believed: even when the others are gone, it does not bring any back.
    const alone = only(away)
    await expect
      .poll(
        async () =>
          (await Promise.all(keys.map((key) => alone.read(key, null)))).filter(
            (read) => text(read) === 'live',
          ).length,
      )
      .toBe(0)
  })

  test.for([0, 1] as const)(
    'a change that copy %i has no room for is not acknowledged, and neither server loses what it has',
    async (place, { open, only }) => {
      const [first, full] = await Promise.all([startMemcached(), startMemcached(['-m', '2', '-M'])])
      const store = open({ servers: [first.address, full.address], copies: 2 })
      let key = newKey()
      const names = [first.address, full.address].map((name) => ({ name }))
      while (rankServers(names, key)[place]?.name !== full.address) key = newKey()
      await store.create(key, bytes('small'), 60)
      const alone = only(full)
      for (let index = 0; index < 100; index++) await alone.create(newKey(), new Uint8Array(50_000), 60)
      const read = await store.read(key, 60)
      const token = read.kind === 'hit' ? read.token : ''
      const large = 'large'.repeat(10_000)
      const changed = await store.replace(key, bytes(large), { token, ttlSeconds: 60 })
      expect(changed).toMatchObject({ kind: 'unavailable', cause: { code: 'out-of-memory' } })
      // Stored or not, as `unavailable` says; nothing else.
      expect(text(await store.read(key, 60))).toBe(place === 0 ? 'small' : large)
      for (const server of [first, full]) expect((await only(server).read(key, null)).kind).toBe('hit')
      await Promise.all([first.kill(), full.kill()])
    },
  )

  test('what is away is told on a channel, and so is its return', async ({ servers, openPool }) => {
    const told: string[] = []
    const note = (message: unknown): void => void told.push((message as { state: string }).state)
    subscribe('session-mirror:node', note)
    const store = openPool(2, { timeoutMilliseconds: 3000 })
    const key = newKey()
    await store.create(key, bytes('value'), 60)
    await holder(servers, key, 0).freeze()
    await store.read(key, 60)
    await store.end(key, bytes('tombstone'), 60)
    await store.read(key, 60)
    holder(servers, key, 0).thaw()
    await until('the tombstone is read', async () => text(await store.read(key, 60)) === 'tombstone')
    const stateAfterRead = async (): Promise<string | undefined> => {
      await store.read(key, 60)
      return told.at(-1)
    }
    await until('it is up', async () => (await stateAfterRead()) === 'up')
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
