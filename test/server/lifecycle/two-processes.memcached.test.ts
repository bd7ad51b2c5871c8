// Two servers as two processes over one real memcached: nothing but the store can keep their writes apart.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test as base } from 'vitest'
import { counts } from '../../support/counts.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import type { Done, Order } from '../../support/session-server.ts'
import { secrets } from '../harness.ts'

const rounds = counts.processRounds
const keys = Array.from({ length: 50 }, (_, index) => index)

interface SessionServer {
  readonly pid: number | undefined
  ask(order: Omit<Order, 'id'>): Promise<Done>
  stop(): Promise<void>
}

const test = base
  .extend('memcached', async ({}, { onCleanup }): Promise<Memcached> => {
    const memcached = await startMemcached()
    onCleanup(() => memcached.kill())
    return memcached
  })
  .extend('servers', ({ memcached }, { onCleanup }): readonly [SessionServer, SessionServer] => {
    const servers = [startServer(memcached.address), startServer(memcached.address)] as const
    onCleanup(async () => {
      await Promise.all(servers.map((server) => server.stop()))
    })
    return servers
  })

function startServer(address: string): SessionServer {
  const script = fileURLToPath(new URL('../../support/session-server.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--conditions=session-mirror-source', script, address, secrets[0] ?? ''],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  const waiting = new Map<number, { resolve: (done: Done) => void; reject: (error: Error) => void }>()
  let lastId = 0
  child.on('message', (done: Done) => {
    const { resolve, reject } = waiting.get(done.id) ?? {}
    waiting.delete(done.id)
    if (done.error === '') resolve?.(done)
    else reject?.(new Error(done.error))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`A server ended: ${code ?? signal}.`))
  })
  return {
    pid: child.pid,
    ask: (order) =>
      new Promise((resolve, reject) => {
        const id = ++lastId
        waiting.set(id, { resolve, reject })
        child.send({ ...order, id } satisfies Order, (error) => error && reject(error))
      }),
    stop: () => stop(child),
  }
}

/** It ends with its channel. One that hangs is ended by its own id, so that nothing is left behind. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  child.disconnect()
  await exited
  clearTimeout(timer)
}

/** No two rounds write the same value: one that stayed from the round before is a lost one. */
const valueOf = (round: number, key: number): number => round * 1000 + key
/** Each request goes to the other server than the one before it, and each key to the other in the next round. */
const serverOf = (round: number, key: number): 0 | 1 => ((key + round) % 2 === 0 ? 0 : 1)

/** How often the commits of a round went from one process to the other. One after the other: once. */
function turnsOf(round: number, done: readonly Done[]): number {
  const order = keys.toSorted((a, b) => (done[a]?.revision ?? 0) - (done[b]?.revision ?? 0))
  const byTime = order.map((key) => serverOf(round, key))
  return byTime.filter((server, index) => index > 0 && server !== byTime[index - 1]).length
}

test(`none of ${rounds * keys.length} writes to one session by two processes at once is lost`, async ({
  servers,
}) => {
  expect(new Set([process.pid, ...servers.map(({ pid }) => pid)])).toHaveProperty('size', 3)
  const begun = await servers[0].ask({ cookie: '', write: { key: 0, value: -1 } })
  const { cookie } = begun
  expect(begun).toMatchObject({ cookie: expect.stringMatching(/^session=v1\./), visits: 1, revision: 1 })

  let [lost, mixed] = [0, 0]
  for (let round = 1; round <= rounds; round++) {
    const writes = keys.map((key) =>
      servers[serverOf(round, key)].ask({ cookie, write: { key, value: valueOf(round, key) } }),
    )
    const done = await Promise.all(writes)
    if (turnsOf(round, done) > 1) mixed++
    for (const server of servers) {
      const seen = await server.ask({ cookie })
      lost += keys.filter((key) => seen.values[key] !== valueOf(round, key)).length
      expect(seen).toMatchObject({ visits: 1 + round * 50, revision: 1 + round * 50, cookie: '' })
    }
  }
  expect(lost).toBe(0)
  // Had the processes taken turns, there would have been nothing to lose.
  expect(mixed).toBeGreaterThan(rounds / 10)
})
