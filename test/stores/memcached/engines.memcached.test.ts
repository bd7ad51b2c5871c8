// Engines without the meta commands. `auto` finds that out by itself.
import { describe, expect, test as base } from 'vitest'
import { type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import { type Engine, startTwemproxy, startYrmcds } from '../../support/engines.ts'
import { contractTestsAt, patientMilliseconds } from '../../support/memcached-test.ts'
import { startMemcached } from '../../support/memcached.ts'
import { startProxy } from '../../support/proxy.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'

interface Engines {
  /** Before two memcacheds. */
  readonly twemproxy: Engine
  readonly yrmcds: Engine
}

const test = base.extend<{ readonly engines: Engines }>({
  engines: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
    async ({}, use) => {
      const servers = await Promise.all([startMemcached(), startMemcached()])
      const twemproxy = await startTwemproxy(servers.map(({ address }) => address))
      const yrmcds = await startYrmcds()
      await use({ twemproxy, yrmcds })
      await Promise.all([twemproxy.kill(), yrmcds.kill(), ...servers.map((server) => server.kill())])
    },
    { scope: 'file' },
  ],
})

const open = (options: MemcachedStoreOptions): ReturnType<typeof memcachedStore> =>
  memcachedStore({ timeoutMilliseconds: patientMilliseconds, ...options })

/** With the connections that it takes to find the dialect out: twemproxy closes one for it. */
const engineNames = [
  ['twemproxy', 2],
  ['yrmcds', 1],
] as const

describe.each(engineNames)('%s', (name, connections) => {
  describe.concurrent.each(['auto', 'classic'] as const)('the contract in the dialect %s', (dialect) => {
    contractTestsAt(
      (title, run) => test(title, ({ engines }) => run(engines[name].address), 60_000),
      () => ({ dialect }),
    )
  })

  test('auto chooses the classic dialect, with every connection anew, and a user notices nothing', async ({
    engines,
  }) => {
    const proxy = await startProxy(engines[name].address)
    const store = open({ servers: proxy.address })
    expect((await store.end('auto', bytes('value'), 60)).kind).toBe('stored')
    expect(text(await store.read('auto', 60))).toBe('value')
    expect(proxy.connections).toBe(connections)
    await store.close()
    await proxy.close()
  })

  test('the meta dialect is unavailable and says why', async ({ engines }) => {
    const store = open({ servers: engines[name].address, dialect: 'meta' })
    expect(codeOf(await store.read('a', 60))).toMatch(/^(cut|protocol)$/)
    await store.close()
  })

  test('none of 200 increments at once is lost', async ({ engines }) => {
    const store = open({ servers: engines[name].address })
    await store.create('count', bytes('0'), 60)
    const increment = async (): Promise<void> => {
      for (;;) {
        const read = await store.read('count', 60)
        if (read.kind !== 'hit') throw new Error(codeOf(read))
        const value = bytes(String(Number(text(read)) + 1))
        const { kind } = await store.replace('count', value, { token: read.token, ttlSeconds: 60 })
        if (kind === 'stored') return
        expect(kind).toBe('conflict')
      }
    }
    await Promise.all(Array.from({ length: 200 }, increment))
    expect(text(await store.read('count', 60))).toBe('200')
    await store.close()
  })
})

test('one dead server behind twemproxy does not end the connection to the others', async () => {
  const [alive, dead] = await Promise.all([startMemcached(), startMemcached()])
  const both = await startTwemproxy([alive.address, dead.address])
  const store = open({ servers: both.address })
  const keys = Array.from({ length: 60 }, (_, index) => `dead:${index}`)
  await Promise.all(keys.map((key) => store.end(key, bytes(key), 60)))
  await dead.kill()
  for (let round = 0; round < 3; round++) {
    const reads = await Promise.all(keys.map((key) => store.read(key, 60)))
    const said = reads.map((read, index) => (text(read) === keys[index] ? 'own' : codeOf(read)))
    expect(new Set(said)).toEqual(new Set(['own', 'server-error']))
  }
  await store.close()
  await Promise.all([both.kill(), alive.kill()])
})
