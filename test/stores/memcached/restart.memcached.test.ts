// A memcached with `-e`, which keeps its items in a file while it is started anew.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { startMemcached } from '../../support/memcached.ts'
import { bytes, codeOf, text } from '../../support/store-helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'memcached-restart-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a memcached that was stopped with SIGUSR1 has all sessions when it is back, with their lifetimes and tokens', async ({
  annotate,
}) => {
  const memcached = await startMemcached(['-m', '64', '-e', join(folder, 'warm')])
  const store = memcachedStore({ servers: memcached.address, timeoutMilliseconds: 30_000 })
  const keys = Array.from({ length: 2000 }, (_, index) => `warm:${index}`)
  await Promise.all(keys.map((key) => store.create(key, bytes(key.repeat(50)), 600)))
  await store.create('short', bytes('short'), 4)
  await store.end('ended', bytes('tombstone'), 600)
  const before = await store.read('warm:0', null)
  const token = before.kind === 'hit' ? before.token : ''

  const stopped = performance.now()
  // One that starts within the second in which the other stopped distrusts the clock, and is empty.
  await memcached.restart('SIGUSR1', 1100)
  await expect.poll(() => store.read('warm:0', null).then(({ kind }) => kind)).toBe('hit')
  await annotate(`away for ${Math.round(performance.now() - stopped)} ms, 1100 of them on purpose`)
  const reads = await Promise.all(keys.map((key) => store.read(key, 600)))
  expect(reads.filter((read, index) => text(read) === keys[index]?.repeat(50)).length).toBe(2000)
  expect(text(await store.read('ended', 600))).toBe('tombstone')
  // Its count of tokens goes on: one from before is good once, and is nobody else's.
  expect((await store.replace('warm:0', bytes('next'), { token, ttlSeconds: 600 })).kind).toBe('stored')
  expect((await store.replace('warm:0', bytes('late'), { token, ttlSeconds: 600 })).kind).toBe('conflict')
  await expect.poll(() => store.read('short', null).then(({ kind }) => kind)).toBe('miss')
  await store.close()
  await memcached.kill()
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a memcached that was stopped with %s comes back empty',
  async (signal) => {
    const memcached = await startMemcached(['-m', '64', '-e', join(folder, signal)])
    const store = memcachedStore({ servers: memcached.address, timeoutMilliseconds: 30_000 })
    await store.create('cold', bytes('value'), 600)
    await memcached.restart(signal)
    await expect.poll(() => store.read('cold', null).then(codeOf)).toBe('miss')
    await store.close()
    await memcached.kill()
  },
  120_000,
)
