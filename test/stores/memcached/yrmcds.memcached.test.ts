// yrmcds with a slave: what runs on loopback, where no address can move; and failover, between network namespaces,
// where it can.
import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect } from 'vitest'
import { type Yrmcds, startYrmcds } from '../../support/engines.ts'
import { isLong } from '../../support/counts.ts'
import { test as memcachedTest } from '../../support/memcached-test.ts'
import { freePort } from '../../support/programs.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'

interface Pair {
  readonly master: Yrmcds
  readonly slave: Yrmcds
}

const test = memcachedTest.extend<Pair & { readonly pair: Pair }>({
  pair: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
    async ({}, use) => {
      const replicationPort = await freePort()
      const [port, slavePort] = [await freePort(), await freePort()]
      const master = await startYrmcds({
        virtualIp: '127.0.0.1',
        bindIp: '127.0.0.2',
        port,
        replicationPort,
      })
      const slave = await startYrmcds({
        virtualIp: '127.0.0.2',
        bindIp: '127.0.0.3',
        port: slavePort,
        replicationPort,
      })
      await use({ master, slave })
      await Promise.all([master.kill(), slave.kill()])
    },
    { scope: 'file' },
  ],
  master: async ({ pair }, use) => use(pair.master),
  slave: async ({ pair }, use) => use(pair.slave),
})

describe('a master and its slave', () => {
  test('the slave gets what the master has, and all that is written later', async ({
    open,
    master,
    slave,
  }) => {
    await expect.poll(() => master.replication()).toContain('1 slaves')
    const store = open({ servers: master.address })
    for (let index = 0; index < 100; index++) await store.create(`s:${index}`, bytes('one'), 60)
    for (let index = 0; index < 50; index++) await store.end(`s:${index}`, bytes('two'), 60)
    // Reading begins a lifetime anew, and that is told as well.
    for (let index = 0; index < 10; index++) await store.read(`s:${index}`, 60)
    // What is written while the slave still gets its first copy may be told twice.
    const told = async (): Promise<readonly number[]> => {
      const [, created, updated, removed] =
        /(\d+) created, (\d+) updated, (\d+) removed/.exec(await slave.replication()) ?? []
      return [Number(created), Math.min(60, Number(updated)), Number(removed)]
    }
    await expect.poll(told).toEqual([100, 60, 0])
  })

  test('the slave lets nobody in, and that is unavailable', async ({ open, slave }) => {
    const store = open({ servers: slave.address })
    expect(codeOf(await store.read('s:1', 60))).toMatch(/^(cut|protocol)$/)
    expect((await store.end('s:1', bytes('three'), 60)).kind).toBe('unavailable')
  })

  test('a master that is started again where it was is empty, and so is its slave then', async ({
    open,
    master,
    slave,
  }) => {
    const store = open({ servers: master.address })
    expect(text(await store.read('s:1', 60))).toBe('two')
    await master.restart()
    await expect.poll(() => store.read('s:1', 60).then(codeOf)).toBe('miss')
    await expect.poll(() => slave.replication()).toContain('0 created, 0 updated, 0 removed')
    expect((await store.create('s:1', bytes('new'), 60)).kind).toBe('stored')
    await expect.poll(() => slave.replication()).toContain('1 created')
  })
})

/** As root, or as a user that may be root in a world of its own. */
const apart = process.getuid?.() === 0 ? ['-n'] : ['-r', '-n']
const bridge = ['ip', 'link', 'add', 'try0', 'type', 'bridge']
const canMoveAddresses = isLong && spawnSync('unshare', [...apart, ...bridge]).status === 0

interface Outcome {
  readonly lost: number
  readonly wrong: number
  readonly kept: number
  readonly served: number
  readonly millisecondsAfterMove: number
}

describe.runIf(canMoveAddresses)(
  'failover between three network namespaces (needs unshare, ip, veth and bridge; only in npm run test:long)',
  () => {
    const run = async (scenario: string): Promise<Outcome> => {
      const script = join(import.meta.dirname, '../../support/yrmcds-failover.ts')
      const node = [process.execPath, '--conditions=session-mirror-source', script, scenario]
      const { stdout } = await promisify(execFile)('unshare', [...apart, ...node])
      console.log(`yrmcds, ${scenario}: ${stdout.trim()}`)
      return JSON.parse(stdout) as Outcome
    }

    test.each(['process-killed', 'cable-pulled'])(
      '%s, and the address moves within a second: the slave goes on with the sessions, but for the very last changes',
      async (scenario) => {
        const outcome = await run(scenario)
        expect(outcome.kept).toBe(500)
        expect(outcome.wrong).toBe(0)
        // Acknowledged and not yet told to the slave: one for each writer at the very most.
        expect(outcome.lost).toBeLessThanOrEqual(50)
        expect(outcome.millisecondsAfterMove).toBeLessThan(20_000)
      },
      60_000,
    )

    test('the address moves more than five seconds after the master died: the slave has forgotten everything', async () => {
      expect((await run('process-killed-late')).kept).toBe(0)
    })

    test('a slave that did not hear of the end of its master waits longer', async () => {
      expect((await run('cable-pulled-late')).kept).toBe(500)
    })
  },
)
