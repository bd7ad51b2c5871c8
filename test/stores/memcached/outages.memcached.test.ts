// A memcached that freezes, dies, comes back empty, or is not there: every operation ends within its deadline,
// and a node that fails is left alone.
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { test } from '../../support/memcached-test.ts'
import { freePort } from '../../support/memcached.ts'
import { inProcessTime, startProcessClock } from '../../support/process-time.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, openLoop, text } from '../../support/store-helpers.ts'
import { sleep, until } from '../../support/waiting.ts'

const rejections: unknown[] = []
const note = (reason: unknown): number => rejections.push(reason)
beforeAll(() => {
  process.on('unhandledRejection', note)
  process.on('uncaughtException', note)
})
afterAll(async () => {
  await sleep(50)
  process.off('unhandledRejection', note)
  process.off('uncaughtException', note)
  expect(rejections).toEqual([])
})

const deadline = 250

describe.each(['auto', 'classic'] as const)('in the dialect %s', (dialect) => {
  test('every one of 250 operations a second ends within the deadline of a frozen memcached, and it works again when thawed', async ({
    open,
    memcached,
  }) => {
    await open({ dialect }).end('frozen', bytes('value'), 60)
    const store = open({ dialect, timeoutMilliseconds: deadline })
    await until('the store has a connection', async () => (await store.read('frozen', 60)).kind === 'hit')
    let isThawed = false
    const outage = (async () => {
      await sleep(300)
      await memcached.freeze()
      await sleep(1000)
      memcached.thaw()
      isThawed = true
    })()
    const samples = await openLoop({
      everyMilliseconds: 4,
      forMilliseconds: 3600,
      until: (ended) => isThawed && ended.at(-1)?.outcome !== 'unavailable',
      run: async (index) =>
        index % 2 === 0
          ? text(await store.read('frozen', 60))
          : (await store.end('other', bytes('x'), 60)).kind,
    })
    await outage
    expect([...new Set(samples.map(({ outcome }) => outcome))].toSorted()).toEqual([
      'stored',
      'unavailable',
      'value',
    ])
    expect(Math.max(...samples.map(({ milliseconds }) => milliseconds))).toBeLessThanOrEqual(deadline + 250)
    // The breaker: most of what came while it was frozen failed at once.
    const failed = samples.filter(({ outcome }) => outcome === 'unavailable')
    expect(failed.length).toBeGreaterThan(150)
    expect(failed.filter(({ milliseconds }) => milliseconds < 50).length).toBeGreaterThan(failed.length / 2)
    await until('the store works again', async () => (await store.read('frozen', 60)).kind === 'hit')
  })

  test('a memcached that is killed and started again in traffic gives nobody a wrong value, and comes back empty', async ({
    open,
    memcached,
  }) => {
    const store = open({ dialect, timeoutMilliseconds: deadline })
    const patient = open({ dialect })
    const keys = Array.from({ length: 20 }, (_, index) => `${dialect}:traffic:${index}`)
    await Promise.all(keys.map((key) => patient.end(key, bytes(key), 60)))
    let isBack = false
    const outage = (async () => {
      await sleep(300)
      await memcached.kill()
      await sleep(400)
      await memcached.restart()
      isBack = true
    })()
    const samples = await openLoop({
      everyMilliseconds: 2,
      forMilliseconds: 3000,
      until: (ended) =>
        isBack && ended.length > 100 && ended.slice(-100).every(({ outcome }) => outcome === 'own'),
      async run(index) {
        const key = keys[index % keys.length] ?? ''
        const said = text(await store.read(key, 60))
        if (said === 'miss') return (await store.create(key, bytes(key), 60)).kind
        return said === key ? 'own' : said
      },
    })
    await outage
    const outcomes = [...new Set(samples.map(({ outcome }) => outcome))].toSorted()
    expect(outcomes.filter((outcome) => outcome !== 'exists')).toEqual(['own', 'stored', 'unavailable'])
    expect(Math.max(...samples.map(({ milliseconds }) => milliseconds))).toBeLessThanOrEqual(
      2 * deadline + 100,
    )
    const after = await Promise.all(keys.map((key) => patient.read(key, 60)))
    expect(after.map(text)).toEqual(keys)
  })

  test('one cut costs one failure: the next operation connects again at once', async ({ open, proxy }) => {
    const before = proxy.connections
    const store = open({ dialect, servers: proxy.address })
    await store.end('once', bytes('value'), 60)
    proxy.rewrite = (chunk, cut) => {
      cut()
      return chunk.subarray(0, 1)
    }
    expect(codeOf(await store.read('once', 60))).toBe('cut')
    proxy.rewrite = (chunk) => chunk
    expect(text(await store.read('once', 60))).toBe('value')
    expect(proxy.connections - before).toBe(2)
  })

  test('a token from before a cold restart stores nothing over what is there now', async ({
    open,
    memcached,
  }) => {
    const store = open({ dialect })
    await store.end('stale', bytes('before'), 60)
    const read = await store.read('stale', 60)
    const token = read.kind === 'hit' ? read.token : '0'
    await memcached.restart()
    await until('memcached is back', async () => codeOf(await store.read('stale', 60)) === 'miss')
    expect((await store.replace('stale', bytes('late'), { token, ttlSeconds: 60 })).kind).toBe('missing')
    // Memcached counts from 1 again: after as many writes the stale token is a good one. Hold a token within a
    // request only.
    let isTaken = false
    for (let count = 0; count <= Number(token) && !isTaken; count++) {
      await store.end('stale', bytes(`after ${count}`), 60)
      const replaced = await store.replace('stale', bytes('late'), { token, ttlSeconds: 60 })
      isTaken = replaced.kind === 'stored'
      if (!isTaken) expect(replaced.kind).toBe('conflict')
    }
    expect(isTaken).toBe(true)
  })
})

describe('a circuit breaker', () => {
  test('a server that is not there is left alone for longer and longer, up to two seconds', async ({
    open,
  }) => {
    const clock = startProcessClock()
    const attempts: number[] = []
    // It closes every connection, in the middle of our first word.
    const server = await startScriptedServer((_said, socket) => {
      attempts.push(clock.now())
      socket.destroy()
      return undefined
    })
    const store = open({ servers: server.address, dialect: 'meta' })
    const samples = await openLoop({
      everyMilliseconds: 4,
      forMilliseconds: 4000,
      until: () => attempts.length >= 5,
      run: (index) => store.read(`a${index}`, 60).then(codeOf),
    })
    expect([...new Set(samples.map(({ outcome }) => outcome))].toSorted()).toEqual(['cut', 'resting'])
    const gapsOf = (times: readonly number[]): number[] =>
      times.slice(1).map((at, index) => at - (times[index] ?? 0))
    const gaps = gapsOf(server.connections)
    expect(gaps.length).toBeGreaterThanOrEqual(4)
    expect(gaps.length).toBeLessThanOrEqual(7)
    // 50 to 100, 100 to 200, 200 to 400 ... and the time that an attempt takes.
    for (const [index, gap] of gaps.entries()) {
      expect(gap).toBeGreaterThanOrEqual(Math.min(1000, 50 * 2 ** index))
    }
    for (const [index, gap] of gapsOf(attempts).entries()) {
      expect(gap).toBeLessThanOrEqual(Math.min(2000, 100 * 2 ** index) + 150)
    }
    clock.stop()
    await server.close()
  })

  test('one operation at a time tries while the circuit is open, and the others fail at once', async ({
    open,
  }) => {
    // It lets the network in and says nothing.
    const server = await startScriptedServer(() => undefined)
    const store = open({ servers: server.address, timeoutMilliseconds: 150 })
    expect(codeOf(await store.read('a', 60))).toBe('timeout')
    await sleep(110)
    const clock = startProcessClock()
    const waits: number[] = []
    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const code = codeOf(await store.read(`a${index}`, 60))
        if (code === 'resting') waits.push(clock.now())
        return code
      }),
    )
    expect(codes.filter((code) => code === 'timeout').length).toBe(1)
    expect(codes.filter((code) => code === 'resting').length).toBe(19)
    expect(Math.max(...waits)).toBeLessThan(100)
    expect(server.connections.length).toBe(2)
    clock.stop()
    await server.close()
  })

  test('a server that is not there is unavailable, and never an uncaught error', async ({ open }) => {
    const store = open({ servers: `127.0.0.1:${await freePort()}` })
    for (let count = 0; count < 20; count++) {
      expect((await store.read('a', 60)).kind).toBe('unavailable')
      await sleep(5)
    }
  })

  test('a name that nobody knows is unavailable within the deadline', async ({ open }) => {
    const store = open({ servers: 'nobody.invalid:11211', timeoutMilliseconds: deadline })
    const { result, milliseconds } = await inProcessTime(() => store.read('a', 60))
    expect(result.kind).toBe('unavailable')
    expect(milliseconds).toBeLessThan(deadline + 100)
  })

  test('closing in the middle of everything fails it at once', async ({ open }) => {
    const store = open()
    const early = store.read('a', 60)
    await store.close()
    expect(codeOf(await early)).toBe('closed')
    const second = open()
    await second.read('a', 60)
    const reads = Promise.all([second.read('a', 60), second.end('b', bytes('b'), 60)])
    await second.close()
    expect((await reads).map(codeOf)).toEqual(['closed', 'closed'])
    expect(codeOf(await second.read('a', 60))).toBe('closed')
  })
})
