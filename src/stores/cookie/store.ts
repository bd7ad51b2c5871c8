// Sessions in the cookie itself, as Beaker has them by default. Nothing is kept anywhere else, so nothing can be
// taken back. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  number,
} from '../../protocol/check-options.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import { checkKey, checkTtl, lifeHints } from '../argument-checks.ts'
import type {
  CarriedStore,
  CreateResult,
  EndResult,
  Guarantees,
  OpenedStore,
  ReadResult,
  ReplaceOptions,
  ReplaceResult,
} from '../store.ts'
import { checkedCopy, closed } from '../wrapped-store.ts'
import { decodeCarried, encodeCarried } from './carried-value.ts'

/** The options of `cookieStore`. */
export interface CookieStoreOptions {
  /** Bytes of a session, about 300 of them for what is known of it beside its keys. @default 2800, which is the most */
  readonly maxBytes?: number
  /** Milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

/**
 * What fits: browsers take 4,096 bytes of name and value, of which the longest name is 76 and the signed part 167, and
 * base64 makes four bytes of three.
 */
const mostBytes = 2800
/** A lifetime may end too early by this share of it: extending it means setting the cookie again. */
const minTouchShare = 1 / 32

const inSessions = 'it is an option of createSessions'
const storeChecks: ChecksOf<CookieStoreOptions> = { maxBytes: number, clock: callback }
const storeOptions: KnownOptions = {
  checks: storeChecks,
  hints: {
    ...lifeHints,
    secret: `write secrets: ${inSessions}`,
    secrets: inSessions,
    password: `write secrets: ${inSessions}`,
    keys: `write secrets: ${inSessions}`,
    name: `write cookie: { name }: ${inSessions}`,
    cookie: inSessions,
    maxSize: 'write maxBytes',
  },
}

/**
 * A store that keeps sessions in the cookie alone, encrypted. Of two requests that change one session at once, the
 * later answer counts. A copy of the cookie works after a sign-out, too: until the session's absolute end where it is used,
 * and until its idle end where it is not. An owner's sessions cannot be listed or ended.
 * @throws SessionError `invalid-option` for a `maxBytes` that is not a whole number from 1 to 2800
 * @example createSessions({ schema, secrets, store: cookieStore() })
 */
export function cookieStore(options: CookieStoreOptions = {}): CarriedStore {
  checkOptions('cookieStore', options, storeOptions)
  const { maxBytes = mostBytes, clock = systemClock } = options
  checkWholeNumber('maxBytes', maxBytes, { from: 1, to: mostBytes })
  const guarantees = { compareAndSwap: 'none', revocation: 'none', durability: 'browser' } as const
  let isClosed = false
  const whole: WholeStore = { name: 'cookie', guarantees, maxBytes, clock, isClosed: () => isClosed }
  return {
    kind: 'carried',
    name: whole.name,
    guarantees,
    maxBytes,
    open: (carried) => new OpenedCookie(carried, whole),
    async close() {
      isClosed = true
    },
  }
}

/** What all requests share. */
interface WholeStore {
  readonly name: string
  readonly guarantees: Guarantees
  readonly maxBytes: number
  readonly clock: Clock
  readonly isClosed: () => boolean
}

interface Item {
  readonly value: Uint8Array
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** What came with one request, and what was stored since. */
class OpenedCookie implements OpenedStore {
  readonly name: string
  readonly guarantees: Guarantees
  readonly #carried: (key: string) => Uint8Array | undefined
  readonly #whole: WholeStore
  /** What came, as it is looked at, and what was stored since. Undefined: nothing came. */
  readonly #items = new Map<string, Item | undefined>()
  #lastToken = 0
  #isChanged = false
  #isClosed = false

  constructor(carried: (key: string) => Uint8Array | undefined, whole: WholeStore) {
    this.name = whole.name
    this.guarantees = whole.guarantees
    this.#carried = carried
    this.#whole = whole
  }

  get isChanged(): boolean {
    return this.#isChanged
  }

  carriedFor(key: string): Uint8Array | undefined {
    const item = this.#live(key)
    return item && encodeCarried(item)
  }

  async read(key: string, ttlSeconds: number | null): Promise<ReadResult> {
    checkKey(key)
    if (ttlSeconds !== null) checkTtl(ttlSeconds)
    if (this.#isOver()) return closed()
    const item = this.#live(key)
    if (item === undefined) return { kind: 'miss' }
    if (ttlSeconds !== null) this.#touch(key, item, ttlSeconds)
    return { kind: 'hit', value: item.value.slice(), token: item.token }
  }

  async create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult> {
    const own = this.#copy(key, value, ttlSeconds)
    if (this.#isOver()) return closed()
    return this.#live(key) === undefined ? this.#put(key, own, ttlSeconds) : { kind: 'exists' }
  }

  async replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<ReplaceResult> {
    const { token, ttlSeconds } = options
    const own = this.#copy(key, value, ttlSeconds)
    if (this.#isOver()) return closed()
    const item = this.#live(key)
    if (item === undefined) return { kind: 'missing' }
    return item.token === token ? this.#put(key, own, ttlSeconds) : { kind: 'conflict' }
  }

  async end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult> {
    const own = this.#copy(key, value, ttlSeconds)
    return this.#isOver() ? closed() : this.#put(key, own, ttlSeconds)
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #isOver(): boolean {
    return this.#isClosed || this.#whole.isClosed()
  }

  #copy(key: string, value: Uint8Array, ttlSeconds: number): Uint8Array {
    return checkedCopy(key, value, { ttlSeconds, maxBytes: this.#whole.maxBytes })
  }

  #live(key: string): Item | undefined {
    if (!this.#items.has(key)) this.#items.set(key, this.#arrived(key))
    const item = this.#items.get(key)
    return item !== undefined && item.expires > this.#whole.clock() ? item : undefined
  }

  #arrived(key: string): Item | undefined {
    const bytes = this.#carried(key)
    return bytes && { ...decodeCarried(bytes), token: String(++this.#lastToken) }
  }

  #touch(key: string, item: Item, ttlSeconds: number): void {
    const expires = this.#whole.clock() + ttlSeconds * 1000
    if (Math.abs(expires - item.expires) <= ttlSeconds * 1000 * minTouchShare) return
    this.#items.set(key, { ...item, expires })
    this.#isChanged = true
  }

  #put(key: string, value: Uint8Array, ttlSeconds: number): { readonly kind: 'stored' } {
    const expires = this.#whole.clock() + ttlSeconds * 1000
    this.#items.set(key, { value, token: String(++this.#lastToken), expires })
    this.#isChanged = true
    return { kind: 'stored' }
  }
}
