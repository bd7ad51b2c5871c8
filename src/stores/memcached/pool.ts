// Several memcacheds as one store. Each key has its nodes, and no others: when they are away its sessions are
// unavailable, never somewhere else. With two copies a session outlives the loss of one node: both are read, the
// newer one counts, and what is missing or older is mended.
import {
  type CreateResult,
  type EndResult,
  type ReadResult,
  type ReplaceResult,
  type Store,
  type Unavailable,
} from '../store.ts'
import { isRefusal } from './memcached-error.ts'
import type { PoolServer } from './pool-server.ts'
import { rank } from './rendezvous.ts'
import { decodeVersioned, encodeVersioned, endVersion } from '../versioned.ts'

/** What a key's nodes said, in their order. */
interface Copy {
  readonly node: PoolServer
  readonly read: ReadResult
  readonly version: number
}

interface Lead {
  readonly version: number
  /** For each copy: its compare-and-swap token, or that it is missing or away. */
  readonly tokens: readonly string[]
  readonly index: number
}

/** Tries to bring a copy up to date while others write it. */
const maxTries = 3

type Pool = Omit<Store, 'name' | 'guarantees'>

export function createPool(nodes: readonly PoolServer[], copies: number): Pool {
  return copies === 1 ? createShares(nodes) : createCopies(nodes, copies)
}

/** Each key on one node, and what is stored is what was given. */
function createShares(nodes: readonly PoolServer[]): Pool {
  const nodeOf = (key: string): PoolServer => rank(nodes, key)[0] as PoolServer // There is at least one node.
  return {
    read: async (key, ttlSeconds) => nodeOf(key).read(key, ttlSeconds),
    create: async (key, value, ttlSeconds) => nodeOf(key).create(key, value, ttlSeconds),
    replace: async (key, value, options) => nodeOf(key).replace(key, value, options),
    end: async (key, value, ttlSeconds) => nodeOf(key).end(key, value, ttlSeconds),
    close: () => closeAll(nodes),
  }
}

async function closeAll(nodes: readonly PoolServer[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.close()))
}

function createCopies(nodes: readonly PoolServer[], copies: number): Pool {
  const nodesOf = (key: string): readonly PoolServer[] => rank(nodes, key).slice(0, copies)

  async function readCopies(key: string, ttlSeconds: number | null): Promise<readonly Copy[]> {
    const asked = nodesOf(key).map(async (node) => {
      const read = await node.read(key, ttlSeconds)
      return { node, read, version: read.kind === 'hit' ? decodeVersioned(read.value).version : -1 }
    })
    return Promise.all(asked)
  }

  async function readNewest(key: string, ttlSeconds: number | null): Promise<ReadResult> {
    const all = await readCopies(key, ttlSeconds)
    const index = newest(all)
    const best = all[index]
    if (best === undefined || best.read.kind !== 'hit') {
      // One that is away may have it: that is no miss.
      return all.map((copy) => copy.read).find((one) => one.kind === 'unavailable') ?? { kind: 'miss' }
    }
    const { value } = best.read
    const { version } = best
    if (ttlSeconds !== null) {
      for (const copy of all) if (copy.version < version) void mend(copy, { key, value, ttlSeconds })
    }
    return {
      kind: 'hit',
      value: decodeVersioned(value).value,
      token: encodeLead({ version, index, tokens: all.map(tokenOf) }),
    }
  }

  async function create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult> {
    const before = await readCopies(key, null)
    if (before.some((copy) => copy.read.kind === 'hit')) return { kind: 'exists' }
    const bytes = encodeVersioned(value, 1)
    let first: CreateResult | undefined
    for (const { node } of before) {
      // oxlint-disable-next-line no-await-in-loop -- the first that answers decides
      const created = await node.create(key, bytes, ttlSeconds)
      if (created.kind === 'exists' && first?.kind !== 'stored') return created
      if (first?.kind !== 'stored') first = created
    }
    return first ?? nowhere()
  }

  async function replace(
    key: string,
    value: Uint8Array,
    { token, ttlSeconds }: { readonly token: string; readonly ttlSeconds: number },
  ): Promise<ReplaceResult> {
    const lead = decodeLead(token)
    const all = nodesOf(key)
    const leader = all[lead.index]
    if (leader === undefined) return { kind: 'conflict' }
    const version = lead.version + 1
    const bytes = encodeVersioned(value, version)
    const options = { token: lead.tokens[lead.index] ?? token, ttlSeconds }
    const replaced = await leader.replace(key, bytes, options)
    if (replaced.kind !== 'stored') return replaced
    const others = all.filter((node) => node !== leader)
    // Acknowledged when every copy that can be reached has it.
    const refusals = await Promise.all(
      others.map((node) =>
        catchUp(node, { key, bytes, version, ttlSeconds }, lead.tokens[all.indexOf(node)]),
      ),
    )
    return refusals.find((refusal) => refusal !== undefined) ?? replaced
  }

  async function end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult> {
    const bytes = encodeVersioned(value, endVersion)
    const all = nodesOf(key)
    const ended = await Promise.all(all.map((node) => node.end(key, bytes, ttlSeconds)))
    const failed = ended.find((one): one is Unavailable => one.kind === 'unavailable')
    if (failed === undefined) return { kind: 'stored' }
    if (ended.every((one) => one.kind === 'unavailable')) return failed
    // The others know it: this one is told before it is believed again.
    const isOwed = all.every(
      (node, index) => ended[index]?.kind === 'stored' || node.owe(key, bytes, ttlSeconds),
    )
    return isOwed ? { kind: 'stored' } : failed
  }

  return {
    read: readNewest,
    create,
    replace,
    end,
    close: () => closeAll(nodes),
  }
}

/** The first of those with the highest version. */
function newest(all: readonly Copy[]): number {
  let index = 0
  for (const [at, { version }] of all.entries()) if (version > (all[index]?.version ?? -1)) index = at
  return index
}

interface Mending {
  readonly key: string
  /** With its version. */
  readonly value: Uint8Array
  readonly ttlSeconds: number
}

/** By compare-and-swap, so that a newer one is never overwritten. What fails is mended by the next read. */
async function mend({ node, read }: Copy, { key, value, ttlSeconds }: Mending): Promise<void> {
  if (read.kind === 'hit') await node.replace(key, value, { token: read.token, ttlSeconds })
  else if (read.kind === 'miss') await node.create(key, value, ttlSeconds)
}

interface Written {
  readonly key: string
  readonly bytes: Uint8Array
  readonly version: number
  readonly ttlSeconds: number
}

/**
 * Brings a copy up to what the leader has, unless it is newer already. Gives the refusal of a node that is there but
 * has no room: it keeps the older state, which would count should the leader die, so the write is not acknowledged.
 */
async function catchUp(
  node: PoolServer,
  { key, bytes, version, ttlSeconds }: Written,
  token = '',
): Promise<Unavailable | undefined> {
  let known = token
  for (let tries = 0; tries < maxTries; tries++) {
    if (known === away) return undefined
    const written =
      known === missing
        ? await node.create(key, bytes, ttlSeconds)
        : await node.replace(key, bytes, { token: known, ttlSeconds })
    if (written.kind === 'stored') return undefined
    if (written.kind === 'unavailable') return isRefusal(written.cause) ? written : undefined
    const read = await node.read(key, null)
    if (read.kind === 'hit' && decodeVersioned(read.value).version >= version) return undefined
    known = tokenOf({ read })
  }
  return undefined
}

const missing = '-'
const away = '!'

function tokenOf({ read }: Pick<Copy, 'read'>): string {
  return read.kind === 'hit' ? read.token : read.kind === 'miss' ? missing : away
}

function encodeLead({ version, index, tokens }: Lead): string {
  return [version, index, ...tokens].join('.')
}

function decodeLead(token: string): Lead {
  const [version = '', index = '', ...tokens] = token.split('.')
  return { version: Number(version), index: Number(index), tokens }
}

function nowhere(): Unavailable {
  return { kind: 'unavailable', cause: new Error('There is no node for this key.') }
}
