// Several memcacheds as one store. Each key has its servers, and no others: when they are away, its sessions are
// unavailable, never somewhere else. With two copies a session outlives the loss of one server: both are read, the
// newer one counts, and a copy that is missing or older is mended.
import type { CreateResult, EndResult, ReadResult, ReplaceOptions, ReplaceResult, Store } from '../store.ts'
import { decodeVersioned, encodeVersioned, endVersion } from '../versioned.ts'
import { type CopyState, copyStateOf, encodeCopyToken, parseCopyToken } from './copy-token.ts'
import { isRefusal } from './memcached-error.ts'
import type { PoolServer } from './pool-server.ts'
import { rankServers } from './rendezvous.ts'
import { memcachedGuarantees } from './server-client.ts'

/** How many servers are one store: at least one. */
export type PoolServers = readonly [PoolServer, ...PoolServer[]]

/** @param copies on how many servers each session is */
export function createPool(servers: PoolServers, copies: 1 | 2): Store {
  const pool = copies === 1 ? createShares(servers) : createCopies(servers, copies)
  return {
    name: `memcached on ${servers.length} nodes`,
    guarantees: memcachedGuarantees,
    ...pool,
    async close() {
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}

type Pool = Pick<Store, 'read' | 'create' | 'replace' | 'end'>

/** Each key on one server, and what is stored is what was given. */
function createShares(servers: PoolServers): Pool {
  const serverOf = (key: string): PoolServer => rankServers(servers, key)[0] ?? servers[0]
  return {
    read: (key, ttlSeconds) => serverOf(key).read(key, ttlSeconds),
    create: (key, value, ttlSeconds) => serverOf(key).create(key, value, ttlSeconds),
    replace: (key, value, options) => serverOf(key).replace(key, value, options),
    end: (key, value, ttlSeconds) => serverOf(key).end(key, value, ttlSeconds),
  }
}

/** Each key on several servers, each value with its version. */
function createCopies(servers: PoolServers, copies: number): Pool {
  const serversOf = (key: string): readonly PoolServer[] => rankServers(servers, key).slice(0, copies)
  return {
    read: (key, ttlSeconds) => readNewest(serversOf(key), key, ttlSeconds),
    create: (key, value, ttlSeconds) =>
      createCopy(serversOf(key), { key, bytes: encodeVersioned(value, 1), ttlSeconds }),
    replace: (key, value, options) => replaceCopies(serversOf(key), key, { ...options, value }),
    end: (key, value, ttlSeconds) =>
      endCopies(serversOf(key), { key, bytes: encodeVersioned(value, endVersion), ttlSeconds }),
  }
}

/** What a server said about its copy. */
interface ReadCopy {
  readonly server: PoolServer
  readonly read: ReadResult
  /** Less than any version when there is no copy. */
  readonly version: number
}

/** What is to be stored: `bytes` has its version before it. */
interface Written {
  readonly key: string
  readonly bytes: Uint8Array
  readonly ttlSeconds: number
}

async function readCopies(
  servers: readonly PoolServer[],
  key: string,
  ttlSeconds: number | null,
): Promise<readonly ReadCopy[]> {
  const asked = servers.map(async (server): Promise<ReadCopy> => {
    const read = await server.read(key, ttlSeconds)
    return { server, read, version: read.kind === 'hit' ? decodeVersioned(read.value).version : -1 }
  })
  return Promise.all(asked)
}

async function readNewest(
  servers: readonly PoolServer[],
  key: string,
  ttlSeconds: number | null,
): Promise<ReadResult> {
  const all = await readCopies(servers, key, ttlSeconds)
  const leader = indexOfNewest(all)
  const newest = all[leader]?.read
  if (newest?.kind !== 'hit') {
    // A server that is away may have it: that is no miss.
    return all.map(({ read }) => read).find(({ kind }) => kind === 'unavailable') ?? { kind: 'miss' }
  }
  const bytes = newest.value
  const { version, value } = decodeVersioned(bytes)
  if (ttlSeconds !== null) {
    for (const copy of all) if (copy.version < version) void mend(copy, { key, bytes, ttlSeconds })
  }
  const states = all.map(({ read }) => copyStateOf(read))
  return { kind: 'hit', value, token: encodeCopyToken({ version, leader, copies: states }) }
}

/** The first of those with the highest version. */
function indexOfNewest(all: readonly ReadCopy[]): number {
  let index = 0
  for (const [at, { version }] of all.entries()) if (version > (all[index]?.version ?? -1)) index = at
  return index
}

/** By compare-and-swap, so that a newer copy is never overwritten. What fails is mended by the next read. */
async function mend({ server, read }: ReadCopy, { key, bytes, ttlSeconds }: Written): Promise<void> {
  if (read.kind === 'hit') await server.replace(key, bytes, { token: read.token, ttlSeconds })
  else if (read.kind === 'miss') await server.create(key, bytes, ttlSeconds)
}

async function createCopy(
  servers: readonly PoolServer[],
  { key, bytes, ttlSeconds }: Written,
): Promise<CreateResult> {
  const before = await readCopies(servers, key, null)
  if (before.some(({ read }) => read.kind === 'hit')) return { kind: 'exists' }
  let first: CreateResult | undefined
  for (const { server } of before) {
    // oxlint-disable-next-line no-await-in-loop -- the first server that answers decides
    const created = await server.create(key, bytes, ttlSeconds)
    if (created.kind === 'exists' && first?.kind !== 'stored') return created
    if (first?.kind !== 'stored') first = created
  }
  return first ?? { kind: 'unavailable', cause: new Error('No server holds this key.') }
}

async function replaceCopies(
  servers: readonly PoolServer[],
  key: string,
  { value, token, ttlSeconds }: ReplaceOptions & { readonly value: Uint8Array },
): Promise<ReplaceResult> {
  const known = parseCopyToken(token)
  const leader = known && servers[known.leader]
  const state = known?.copies[known.leader]
  if (known === undefined || leader === undefined || state?.kind !== 'there') {
    return afterForeignToken(servers, key)
  }
  const written = { key, bytes: encodeVersioned(value, known.version + 1), ttlSeconds }
  const replaced = await leader.replace(key, written.bytes, { token: state.token, ttlSeconds })
  if (replaced.kind !== 'stored') return replaced
  // Acknowledged when every copy that can be reached has it.
  const caughtUp = await Promise.all(
    servers.map((server, index) =>
      server === leader ? replaced : catchUp(server, written, known.copies[index] ?? { kind: 'missing' }),
    ),
  )
  return caughtUp.find(({ kind }) => kind === 'unavailable') ?? replaced
}

/** A token that no read gave is as good as an old one. */
async function afterForeignToken(servers: readonly PoolServer[], key: string): Promise<ReplaceResult> {
  const found = await readNewest(servers, key, null)
  if (found.kind === 'unavailable') return found
  return { kind: found.kind === 'hit' ? 'conflict' : 'missing' }
}

/** Tries to bring a copy up to date while others write it. */
const maxCatchUpTries = 3

/**
 * Brings a copy up to what the leader has, unless it is newer already. It is `unavailable` when the server is there but
 * has no room: it keeps the older state, which would count if the leader died, so the write must not be acknowledged. A
 * server that is away is `stored`, because its copy is mended when it is back.
 */
async function catchUp(
  server: PoolServer,
  { key, bytes, ttlSeconds }: Written,
  known: CopyState,
): Promise<ReplaceResult> {
  const { version } = decodeVersioned(bytes)
  let state = known
  for (let tries = 0; tries < maxCatchUpTries; tries++) {
    if (state.kind === 'away') break
    const written =
      state.kind === 'missing'
        ? await server.create(key, bytes, ttlSeconds)
        : await server.replace(key, bytes, { token: state.token, ttlSeconds })
    if (written.kind === 'stored') break
    if (written.kind === 'unavailable') {
      if (isRefusal(written.cause)) return written
      break
    }
    const read = await server.read(key, null)
    if (read.kind === 'hit' && decodeVersioned(read.value).version >= version) break
    state = copyStateOf(read)
  }
  return { kind: 'stored' }
}

async function endCopies(
  servers: readonly PoolServer[],
  { key, bytes, ttlSeconds }: Written,
): Promise<EndResult> {
  const ended = await Promise.all(servers.map((server) => server.end(key, bytes, ttlSeconds)))
  const failed = ended.find(({ kind }) => kind === 'unavailable')
  if (failed === undefined) return { kind: 'stored' }
  if (ended.every(({ kind }) => kind === 'unavailable')) return failed
  // The others know that it has ended; this one is told before it is believed again.
  const isOwed = servers.every(
    (server, index) => ended[index]?.kind === 'stored' || server.owe(key, bytes, ttlSeconds),
  )
  return isOwed ? { kind: 'stored' } : failed
}
