// The client of one server by itself: its outcomes, and what it refuses.
import { test as base, expect } from 'vitest'
import { toClientOptions } from '../../../src/stores/memcached/options.ts'
import { ServerClient } from '../../../src/stores/memcached/server-client.ts'
import { startMemcached } from '../../support/memcached.ts'
import { bytes } from '../../support/store-helpers.ts'

const test = base.extend<{ client: ServerClient }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
  client: async ({}, use) => {
    const memcached = await startMemcached()
    const client = new ServerClient(toClientOptions({ timeoutMilliseconds: 30_000 }, memcached.address))
    await use(client)
    await client.close()
    await memcached.kill()
  },
})
const refusal = expect.objectContaining({ code: 'invalid-option' }) as unknown

test('each operation has the outcomes of the contract', async ({ client }) => {
  expect(await client.read('a', null)).toEqual({ kind: 'miss' })
  expect(await client.create('a', bytes('one'), 60)).toEqual({ kind: 'stored' })
  expect(await client.create('a', bytes('two'), 60)).toEqual({ kind: 'exists' })
  const read = await client.read('a', 60)
  expect(read).toEqual({
    kind: 'hit',
    value: Buffer.from('one'),
    token: expect.stringMatching(/^\d+$/) as string,
  })
  const token = read.kind === 'hit' ? read.token : '0'
  const options = { token, ttlSeconds: 60 }
  expect(await client.replace('a', bytes('two'), options)).toEqual({ kind: 'stored' })
  expect(await client.replace('a', bytes('three'), options)).toEqual({ kind: 'conflict' })
  expect(await client.replace('b', bytes('three'), options)).toEqual({ kind: 'missing' })
  expect(await client.end('a', bytes('three'), 60)).toEqual({ kind: 'stored' })
})

test.for(['a b', 'a\r\nflush_all', '', 'ü'.repeat(200), "$'", 'x'.repeat(201)])(
  'the key %j is refused by every operation',
  async (key, { client }) => {
    const options = { token: '1', ttlSeconds: 60 }
    await expect(client.read(key, 60)).rejects.toEqual(refusal)
    await expect(client.create(key, bytes('x'), 60)).rejects.toEqual(refusal)
    await expect(client.end(key, bytes('x'), 60)).rejects.toEqual(refusal)
    await expect(client.replace(key, bytes('x'), options)).rejects.toEqual(refusal)
  },
)

test('tokens and lifetimes that are none are refused', async ({ client }) => {
  for (const token of ['', 'x', '1 2', '1\r\nflush_all', '1'.repeat(21)]) {
    await expect(client.replace('a', bytes('x'), { token, ttlSeconds: 60 })).rejects.toEqual(refusal)
  }
  for (const ttlSeconds of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    await expect(client.read('a', ttlSeconds)).rejects.toEqual(refusal)
    await expect(client.end('a', bytes('x'), ttlSeconds)).rejects.toEqual(refusal)
  }
})

test('a clock that gives no number is refused where memcached takes a time since 1970', async ({
  client,
}) => {
  const broken = new ServerClient(toClientOptions({ clock: () => Number.NaN }, '127.0.0.1:1'))
  await expect(broken.end('a', bytes('x'), 2_592_001)).rejects.toEqual(refusal)
  expect((await client.end('a', bytes('x'), 2_592_001)).kind).toBe('stored')
})
