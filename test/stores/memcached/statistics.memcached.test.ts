// What a store tells of its nodes: its own counts, and the server's figures.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import type { MemcachedStore, NodeEvent, NodeStats } from '../../../src/memcached.ts'
import { startTwemproxy, startYrmcds } from '../../support/engines.ts'
import { test } from '../../support/memcached-test.ts'
import { freePort, startMemcached } from '../../support/memcached.ts'
import { inProcessTime } from '../../support/process-time.ts'
import { bytes, codeOf } from '../../support/store-helpers.ts'
import { until } from '../../support/waiting.ts'

async function only(store: MemcachedStore): Promise<NodeStats> {
  const [stats, ...others] = await store.stats()
  if (stats === undefined || others.length > 0) throw new Error('One node.')
  return stats
}

describe('counts', () => {
  test('a store that did nothing has counts of zero', async ({ open, memcached }) => {
    expect(await only(open())).toMatchObject({
      node: memcached.address,
      state: 'up',
      owed: 0,
      dialect: undefined,
      connections: 0,
      inFlight: 0,
      operations: 0,
      hits: 0,
      misses: 0,
      failures: {},
      milliseconds: 0,
      longestMilliseconds: 0,
    })
  })

  test('counts follow what is done, and the longest begins anew', async ({ open }) => {
    const store = open()
    await store.create('a', bytes('a'), 60)
    await store.read('a', 60)
    await store.read('b', 60)
    await store.end('a', bytes('x'), 60)
    const stats = await only(store)
    expect(stats).toMatchObject({ dialect: 'meta', connections: 1, operations: 4, hits: 1, misses: 1 })
    expect(stats.milliseconds).toBeGreaterThan(0)
    expect(stats.longestMilliseconds).toBeLessThanOrEqual(stats.milliseconds)
    expect(await only(store)).toMatchObject({ operations: 4, longestMilliseconds: 0 })
  })

  test('failures are told by their code, and a mistake of the caller is none', async ({ open }) => {
    const store = open({ servers: `127.0.0.1:${await freePort()}` })
    const kinds = new Map<string, number>()
    for (let count = 0; count < 5; count++) {
      const code = codeOf(await store.read('a', 60))
      kinds.set(code, (kinds.get(code) ?? 0) + 1)
    }
    await expect(store.read('a b', 60)).rejects.toMatchObject({ code: 'invalid-option' })
    const token = { token: 'none', ttlSeconds: 60 }
    await expect(store.replace('a', bytes('a'), token)).rejects.toMatchObject({ code: 'invalid-option' })
    const stats = await only(store)
    expect(stats).toMatchObject({ state: 'down', operations: 5, inFlight: 0, server: undefined })
    expect(stats.failures).toEqual(Object.fromEntries(kinds))
    expect(stats.failures.resting).toBeGreaterThan(0)
  })

  test('what a frozen server does not answer, and connections that were lost, are counted, and a channel tells both', async ({
    open,
  }) => {
    const own = await startMemcached()
    const told: string[] = []
    const note = (message: unknown): void => {
      const { node, state, owed } = message as NodeEvent
      if (node === own.address) told.push(`${state} ${owed}`)
    }
    subscribe('session-mirror:node', note)
    const store = open({ servers: own.address, timeoutMilliseconds: 300 })
    await until(
      'the store has a connection',
      async () => (await store.end('a', bytes('a'), 60)).kind === 'stored',
    )
    const before = (await only(store)).failures.timeout ?? 0
    await own.freeze()
    const reads = Promise.all([store.read('a', 60), store.read('a', 60)])
    const { result: frozen, milliseconds } = await inProcessTime(() => only(store))
    expect(milliseconds).toBeLessThan(1000)
    expect(frozen.server).toBeUndefined()
    expect((await reads).map(codeOf)).toEqual(['timeout', 'timeout'])
    expect(await only(store)).toMatchObject({ state: 'down', failures: { timeout: before + 2 }, inFlight: 0 })
    own.thaw()
    await until('it is back', async () => codeOf(await store.read('a', 60)) === 'hit')
    const stats = await only(store)
    expect(stats.state).toBe('up')
    // One on a busy machine may have come too late.
    expect(stats.connections).toBeGreaterThanOrEqual(2)
    expect([told[0], told.at(-1)]).toEqual(['down 0', 'up 0'])
    unsubscribe('session-mirror:node', note)
    await own.kill()
  })

  test('each server of two copies has its own counts, with the tombstones that it has not got', async ({
    open,
    memcached,
  }) => {
    const other = await startMemcached()
    // Longer than what a busy machine keeps the one waiting that is not frozen.
    const store = open({ servers: [memcached.address, other.address], copies: 2, timeoutMilliseconds: 3000 })
    await store.create('pair', bytes('value'), 60)
    await other.freeze()
    for (const key of ['pair', 'second', 'third']) await store.end(key, bytes('tombstone'), 60)
    const away = await store.stats()
    expect(away.map(({ node, owed }) => [node, owed])).toEqual([
      [memcached.address, 0],
      [other.address, 3],
    ])
    const heldAfterRead = async (): Promise<NodeStats | undefined> => {
      await store.read('pair', 60)
      const [, stats] = await store.stats()
      return stats?.state === 'held' ? stats : undefined
    }
    const held = await until('it is held back', heldAfterRead)
    expect(held.failures.held).toBeGreaterThan(0)
    other.thaw()
    const read = async (): Promise<NodeStats | undefined> => {
      await store.read('pair', 60)
      return (await store.stats())[1]
    }
    await expect.poll(read).toMatchObject({ state: 'up', owed: 0 })
    await other.kill()
  })
})

describe("the server's figures", () => {
  test('a small memcached says that it forgets', async ({ open }) => {
    const small = await startMemcached(['-m', '2'])
    const store = open({ servers: small.address })
    const empty = (await only(store)).server
    expect(empty).toMatchObject({ items: 0, bytes: 0, maxBytes: 2 * 1024 * 1024, evictions: 0 })
    expect(empty?.version).toMatch(/^1\.\d+\.\d+/)
    for (let index = 0; index < 400; index++) await store.create(`e:${index}`, new Uint8Array(20_000), 60)
    const { server } = await only(store)
    expect(server?.evictions).toBeGreaterThan(100)
    expect((server?.items ?? 0) + (server?.evictions ?? 0)).toBe(400)
    expect(server?.uptimeSeconds).toBeGreaterThanOrEqual(0)
    expect((await store.read('e:0', 60)).kind).toBe('miss')
    await small.kill()
  })

  test('a server with a password tells its figures to those who have it', async ({ open }) => {
    const folder = mkdtempSync(join(tmpdir(), 'memcached-stats-'))
    writeFileSync(join(folder, 'passwords'), 'joe:secret\n')
    const closed = await startMemcached(['-Y', join(folder, 'passwords')])
    const login = { username: 'joe', password: 'secret' }
    expect((await only(open({ servers: closed.address, ...login }))).server).toMatchObject({ items: 0 })
    expect((await only(open({ servers: closed.address }))).server).toBeUndefined()
    await closed.kill()
    rmSync(folder, { recursive: true })
  })

  test('yrmcds tells its figures without its uptime, and twemproxy tells none', async ({
    open,
    memcached,
  }) => {
    const [yrmcds, twemproxy] = await Promise.all([startYrmcds(), startTwemproxy([memcached.address])])
    const { server } = await only(open({ servers: yrmcds.address }))
    expect(server).toMatchObject({ uptimeSeconds: undefined, maxBytes: 64 * 1024 * 1024, evictions: 0 })
    expect(server?.version).toContain('yrmcds')
    const store = open({ servers: twemproxy.address })
    await store.end('through', bytes('a'), 60)
    expect(await only(store)).toMatchObject({ dialect: 'classic', operations: 1, server: undefined })
    await Promise.all([yrmcds.kill(), twemproxy.kill()])
  })

  test('asking for figures leaves no connection behind', async ({ open }) => {
    const store = open()
    await store.read('a', 60)
    for (let count = 0; count < 20; count++) await store.stats()
    const connections = async (): Promise<number | undefined> => (await only(store)).server?.connections
    await expect.poll(connections).toBeLessThan(20)
  })
})
