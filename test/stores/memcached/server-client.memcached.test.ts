// One node by itself: its outcomes, and what it refuses.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerClient, createServerClient } from '../../../src/stores/memcached/server-client.ts'
import { toClientOptions } from '../../../src/stores/memcached/options.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { bytes } from '../../support/store-helpers.ts'

let memcached: Memcached
let node: ServerClient
beforeAll(async () => {
  memcached = await startMemcached()
  node = createServerClient(toClientOptions({}, memcached.address))
})
afterAll(async () => {
  node.close()
  await memcached.kill()
})

test('its outcomes', async () => {
  expect(await node.get('a', null)).toEqual({ kind: 'miss' })
  expect(await node.add('a', bytes('one'), 60)).toEqual({ kind: 'stored' })
  expect(await node.add('a', bytes('two'), 60)).toEqual({ kind: 'exists' })
  const read = await node.get('a', 60)
  expect(read).toEqual({
    kind: 'hit',
    value: Buffer.from('one'),
    token: expect.stringMatching(/^\d+$/) as string,
  })
  const token = read.kind === 'hit' ? read.token : '0'
  expect(await node.swap('a', bytes('two'), { token, exptime: 60 })).toEqual({ kind: 'stored' })
  expect(await node.swap('a', bytes('three'), { token, exptime: 60 })).toEqual({ kind: 'conflict' })
  expect(await node.swap('b', bytes('three'), { token, exptime: 60 })).toEqual({ kind: 'missing' })
  expect(await node.set('a', bytes('three'), 60)).toEqual({ kind: 'stored' })
})

test.each(['a b', 'a\r\nflush_all', '', 'ü'.repeat(200), "$'", 'x'.repeat(201)])(
  'refuses the key %j',
  async (key) => {
    const refusal = expect.objectContaining({ code: 'invalid-option' }) as unknown
    await expect(node.get(key, 60)).rejects.toEqual(refusal)
    await expect(node.add(key, bytes('x'), 60)).rejects.toEqual(refusal)
    await expect(node.set(key, bytes('x'), 60)).rejects.toEqual(refusal)
    await expect(node.swap(key, bytes('x'), { token: '1', exptime: 60 })).rejects.toEqual(refusal)
  },
)

test('refuses tokens and expiry times that are none', async () => {
  const refusal = expect.objectContaining({ code: 'invalid-option' }) as unknown
  for (const token of ['', 'x', '1 2', '1\r\nflush_all', '1'.repeat(21)]) {
    await expect(node.swap('a', bytes('x'), { token, exptime: 60 })).rejects.toEqual(refusal)
  }
  for (const exptime of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    await expect(node.get('a', exptime)).rejects.toEqual(refusal)
    await expect(node.set('a', bytes('x'), exptime)).rejects.toEqual(refusal)
  }
})
