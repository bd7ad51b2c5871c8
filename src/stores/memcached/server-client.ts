// One memcached, as a store or a pool of several sees it: keys and bytes in, outcomes out. Exactly checked on
// the way in, because a key with a line break would be a command.
import { SessionError } from '../../protocol/errors.ts'
import { checkKey, checkValueSize } from '../argument-checks.ts'
import type { CreateResult, EndResult, ReadResult, ReplaceResult, Unavailable } from '../store.ts'
import { type ConnectionOptions, createConnection } from './connection.ts'
import { type Reply, type PutCommand, maxItemBytes } from './dialect.ts'
import { MemcachedError } from './memcached-error.ts'

export type ServerClientOptions = ConnectionOptions

/**
 * The outcomes of `Store`, with memcached's own expiry times (`toExptime`). No method rejects because the node is
 * away: that is `unavailable`, within the deadline, and its cause is a MemcachedError whose code says why.
 * All reject with SessionError `invalid-option` for a key, a token or an expiry time that is none, and
 * `too-large` for a value of more than `maxItemBytes`.
 */
export interface ServerClient {
  /** The value; its lifetime begins anew unless `exptime` is null. Concurrent or repeated: any number. */
  get(key: string, exptime: number | null): Promise<ReadResult>
  /** Where nothing is. Concurrent: one of many is `stored`. `unavailable`: stored or not; the note at `swap` holds. */
  add(key: string, value: Uint8Array, exptime: number): Promise<CreateResult>
  /**
   * Where `token` is. Concurrent: one of many is `stored`. `unavailable`: stored or not; with the cause
   * `out-of-memory` or `too-large` it was not, and what was there still is.
   */
  swap(key: string, value: Uint8Array, options: { token: string; exptime: number }): Promise<ReplaceResult>
  /** Whatever is there. `unavailable`: stored or not; when memcached has no room it removes the old value. */
  set(key: string, value: Uint8Array, exptime: number): Promise<EndResult>
  /** Fails what is in flight, and all that comes later. Repeated: does nothing. */
  close(): void
}

/** Connects with the first operation, and again after any failure. Throws nothing. */
export function createServerClient(options: ServerClientOptions): ServerClient {
  const connection = createConnection(options)

  return {
    async get(key, exptime) {
      checkKey(key)
      if (exptime !== null) checkExptime(exptime)
      return expect(await connection.ask({ kind: 'get', key, exptime }), readKinds)
    },
    async add(key, value, exptime) {
      return expect(await connection.ask(put('add', key, { value, exptime })), addKinds)
    },
    async swap(key, value, { token, exptime }) {
      const answer = await connection.ask(put('swap', key, { value, exptime, token }))
      return expect(answer, swapKinds)
    },
    async set(key, value, exptime) {
      return expect(await connection.ask(put('set', key, { value, exptime })), setKinds)
    },
    close() {
      connection.close()
    },
  }
}

interface Put {
  readonly value: Uint8Array
  readonly exptime: number
  readonly token?: string
}

function put(kind: PutCommand['kind'], key: string, { value, exptime, token = '' }: Put): PutCommand {
  checkKey(key)
  checkExptime(exptime)
  checkValueSize(value, maxItemBytes)
  if (kind === 'swap' && !/^\d{1,20}$/.test(token)) {
    throw new SessionError('invalid-option', 'That token is not from a read.')
  }
  return { kind, key, exptime, token, value }
}

/** Memcached takes no more than 32 bits with a sign; zero would be for ever, and less than that never. */
function checkExptime(exptime: number): void {
  if (Number.isInteger(exptime) && exptime >= 1 && exptime <= 2_147_483_647) return
  throw new SessionError('invalid-option', `Memcached takes no expiry time of ${exptime}.`)
}

type Outcome<Kind> = Extract<Reply, { readonly kind: Kind }> | Unavailable

const readKinds = ['hit', 'miss'] as const
const addKinds = ['stored', 'exists'] as const
const swapKinds = ['stored', 'conflict', 'missing'] as const
const setKinds = ['stored'] as const

/** The dialects give only these kinds to each command; here the types learn it. */
function expect<Kind extends Reply['kind']>(
  answer: Reply | Unavailable,
  kinds: readonly Kind[],
): Outcome<Kind> {
  if (answer.kind === 'unavailable' || isOneOf(answer, kinds)) return answer
  if (answer.kind === 'refused') return { kind: 'unavailable', cause: answer.error }
  return { kind: 'unavailable', cause: new MemcachedError('protocol', `${answer.kind} makes no sense here.`) }
}

function isOneOf<Kind>(
  answer: Reply,
  kinds: readonly Kind[],
): answer is Extract<Reply, { readonly kind: Kind }> {
  return (kinds as readonly unknown[]).includes(answer.kind)
}
