// Compares our Memcached client with a raw socket and with other clients, on one real memcached (two for two copies) that
// it starts: reads of 1 KB, and compare-and-swap cycles, 64 in flight.
import { memcachedStore } from '../../src/memcached.ts'
import type { Store } from '../../src/stores/store.ts'
import { startMemcached } from '../../test/support/memcached.ts'
import { type Contestant, measure, toTable } from '../rounds.ts'
import { connectFloor } from './floor.ts'
import { type Peer, memcache, memcacheClient, memcached, memjs } from './peers.ts'

const options = { rounds: Number(process.env['ROUNDS'] ?? 9), milliseconds: 500, inFlight: 64 }
const sessions = 1000
const servers = [await startMemcached(), await startMemcached()] as const
const [{ address }, { address: second }] = servers
const port = Number(address.split(':')[1])

const keys = Array.from({ length: sessions }, (_, index) => `sm1:${String(index).padStart(43, 'k')}`)
const values = keys.map((key) => Buffer.from(key.repeat(22).slice(0, 1024)))
let turn = 0
/** Each operation takes another key, so that two swaps rarely meet. */
const next = (): number => (turn = (turn + 1) % sessions)
const keyOf = (index: number): string => keys[index] ?? ''

function check(index: number, value: Uint8Array): void {
  const expected = values[index]
  if (expected === undefined || !expected.equals(value)) throw new Error(`a wrong value for ${keyOf(index)}`)
}

const floor = connectFloor(port)
const stores: [string, Store][] = [
  ['session-mirror', memcachedStore({ servers: address, dialect: 'meta' })],
  ['session-mirror, classic dialect', memcachedStore({ servers: address, dialect: 'classic' })],
  ['session-mirror, two copies', memcachedStore({ servers: [address, second], copies: 2, prefix: 'two:' })],
]
const peers: Peer[] = [memcacheClient(address), memcached(address), memjs(address), await memcache(address)]

function ours([name, store]: [string, Store]): { reading: Contestant; swapping: Contestant } {
  async function read(index: number): Promise<string> {
    const found = await store.read(keyOf(index), 900)
    if (found.kind !== 'hit') throw new Error(`a ${found.kind}`)
    check(index, found.value)
    return found.token
  }
  async function swap(index: number): Promise<void> {
    const token = await read(index)
    const { kind } = await store.replace(keyOf(index), values[index] ?? Buffer.alloc(0), {
      token,
      ttlSeconds: 900,
    })
    if (kind === 'unavailable' || kind === 'missing') throw new Error(kind)
  }
  return {
    reading: { name, run: async () => void (await read(next())) },
    swapping: { name, run: () => swap(next()) },
  }
}

const bare = {
  reading: {
    name: 'raw socket (the floor)',
    async run() {
      const index = next()
      check(index, (await floor.read(keyOf(index))).value)
    },
  },
  swapping: {
    name: 'raw socket (the floor)',
    async run() {
      const index = next()
      const { value, token } = await floor.read(keyOf(index))
      check(index, value)
      await floor.swap(keyOf(index), value, token)
    },
  },
}

function theirs({ name, get, swap }: Peer): { reading: Contestant; swapping: Contestant | undefined } {
  const reading = {
    name,
    async run() {
      const index = next()
      const value = await get(keyOf(index))
      check(index, typeof value === 'string' ? Buffer.from(value, 'latin1') : value)
    },
  }
  if (swap === undefined) return { reading, swapping: undefined }
  const swapping = {
    name,
    async run() {
      const index = next()
      await swap(keyOf(index), values[index] ?? Buffer.alloc(0))
    },
  }
  return { reading, swapping }
}

async function fill(): Promise<void> {
  for (const [index, key] of keys.entries()) {
    for (const [, store] of stores) {
      // oxlint-disable-next-line no-await-in-loop -- a thousand is not many
      await store.end(key, values[index] ?? Buffer.alloc(0), 900)
    }
  }
}

const all = [bare, ...stores.map(ours), ...peers.map(theirs)]
let hasFailed = false
for (const [title, kind] of [
  ['reads of 1 KB, 64 in flight', 'reading'],
  ['compare-and-swap cycles', 'swapping'],
] as const) {
  // oxlint-disable-next-line no-await-in-loop -- one after another
  await fill()
  const contestants = all.map((one) => one[kind]).filter((one) => one !== undefined)
  // oxlint-disable-next-line no-await-in-loop -- one after another
  const results = await measure(contestants, options)
  console.log(`\n${toTable(title, results)}`)
  hasFailed ||= results.some(
    ({ name, failure }) => name.startsWith('session-mirror') && failure !== undefined,
  )
}

floor.close()
for (const [, store] of stores) void store.close()
for (const peer of peers) peer.close()
await Promise.all(servers.map((server) => server.kill()))
process.exit(hasFailed ? 1 : 0)
