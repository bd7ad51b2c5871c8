// The contract of `Store` over one memcached. Keys and tokens are checked exactly, because a key with a line break
// would be a command.
import { SessionError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/clock.ts'
import { checkKey, checkValueSize } from '../argument-checks.ts'
import type {
  CreateResult,
  EndResult,
  Guarantees,
  ReadResult,
  ReplaceOptions,
  ReplaceResult,
  Store,
  Unavailable,
} from '../store.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import type { PutCommand, Reply } from './dialect.ts'
import { toExptime } from './exptime.ts'
import { MemcachedError } from './memcached-error.ts'

export interface ServerClientOptions extends ConnectionOptions {
  /** Goes before every key. */
  readonly prefix: string
  readonly clock: Clock
  /** Of a value. */
  readonly maxBytes: number
}

export const memcachedGuarantees: Guarantees = {
  compareAndSwap: 'all-processes',
  revocation: 'final',
  durability: 'volatile',
}

/**
 * The client of one memcached. It connects with the first operation, and again after any failure. What is
 * `unavailable` has a MemcachedError as its cause, whose code says why. Beside what the contract says, an `end` for
 * which memcached has no room removes the old value.
 *
 * Not one promise more than is needed: each is a twentieth of what an operation costs.
 */
export class ServerClient implements Store {
  readonly name = 'memcached'
  readonly guarantees: Guarantees = memcachedGuarantees
  readonly #options: ServerClientOptions
  readonly #connection: Connection

  constructor(options: ServerClientOptions) {
    this.#options = options
    this.#connection = new Connection(options)
  }

  async read(key: string, ttlSeconds: number | null): Promise<ReadResult> {
    const full = this.#fullKey(key)
    const exptime = ttlSeconds === null ? null : toExptime(ttlSeconds, this.#options.clock)
    return only(await this.#connection.ask({ kind: 'get', key: full, exptime }), readKinds)
  }

  async create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult> {
    return only(await this.#put('add', key, { value, ttlSeconds, token: '' }), createKinds)
  }

  async replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<ReplaceResult> {
    const { token, ttlSeconds } = options
    if (!/^\d{1,20}$/.test(token)) {
      throw new SessionError(
        'invalid-option',
        `${JSON.stringify(token)} is not the token of a read: a token of memcached has digits alone.`,
      )
    }
    return only(await this.#put('swap', key, { value, ttlSeconds, token }), replaceKinds)
  }

  async end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult> {
    return only(await this.#put('set', key, { value, ttlSeconds, token: '' }), endKinds)
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  #fullKey(key: string): string {
    const full = this.#options.prefix + key
    checkKey(full)
    return full
  }

  #put(
    kind: PutCommand['kind'],
    key: string,
    { value, ttlSeconds, token }: Put,
  ): Promise<Reply | Unavailable> {
    const full = this.#fullKey(key)
    const exptime = toExptime(ttlSeconds, this.#options.clock)
    checkValueSize(value, this.#options.maxBytes)
    return this.#connection.ask({ kind, key: full, exptime, token, value })
  }
}

interface Put {
  readonly value: Uint8Array
  readonly ttlSeconds: number
  readonly token: string
}

const readKinds = ['hit', 'miss'] as const
const createKinds = ['stored', 'exists'] as const
const replaceKinds = ['stored', 'conflict', 'missing'] as const
const endKinds = ['stored'] as const

type OneOf<Kind> = Extract<Reply, { readonly kind: Kind }>

/** The dialects give each command only the replies that it can have; here the types learn that. */
function only<Kind extends Reply['kind']>(
  reply: Reply | Unavailable,
  kinds: readonly Kind[],
): OneOf<Kind> | Unavailable {
  if (reply.kind === 'unavailable' || isOneOf(reply, kinds)) return reply
  if (reply.kind === 'refused') return { kind: 'unavailable', cause: reply.error }
  const cause = new MemcachedError(
    'protocol',
    `Memcached said ${reply.kind} to a command that has no such reply.`,
  )
  return { kind: 'unavailable', cause }
}

function isOneOf<Kind extends Reply['kind']>(reply: Reply, kinds: readonly Kind[]): reply is OneOf<Kind> {
  const all: readonly Reply['kind'][] = kinds
  return all.includes(reply.kind)
}
