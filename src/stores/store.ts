// What the server asks of a store, and what it must never take for granted. Every store keeps this contract;
// `storeContract` in the testing door runs it against any of them.
import { SessionError } from '../protocol/errors.ts'

/** The store did not answer, or not in time, or not sensibly. It says nothing about the session. */
export interface Unavailable {
  readonly kind: 'unavailable'
  readonly cause: unknown
}

export type ReadResult =
  | {
      readonly kind: 'hit'
      readonly value: Uint8Array
      /** Good for one `replace` by the request that read it: memcached counts from 1 again after a restart. */
      readonly token: string
    }
  | { readonly kind: 'miss' }
  | Unavailable
export type CreateResult = { readonly kind: 'stored' | 'exists' } | Unavailable
export type ReplaceResult = { readonly kind: 'stored' | 'conflict' | 'missing' } | Unavailable
export type EndResult = { readonly kind: 'stored' } | Unavailable

export interface ReplaceOptions {
  /** From the `read` of this very request. */
  readonly token: string
  readonly ttlSeconds: number
  /**
   * What is stored is no session any more: it has another id now, or is over. Only stores that keep sessions in the
   * cookie look at it. @default neither
   */
  readonly leaves?: 'moved' | 'ended'
}

/** What a store can promise. */
export interface Guarantees {
  /**
   * Between whom `replace` decides: `all-processes` that use this storage; `this-process`, so that two servers can
   * lose each other's changes; or nobody.
   */
  readonly compareAndSwap: 'all-processes' | 'this-process' | 'none'
  /**
   * `final`: what has ended stays ended. `kept`: so long as the store keeps its tombstone; should it forget that, a copy
   * of the cookie works again. `none`: a copy works again in any case.
   */
  readonly revocation: 'final' | 'kept' | 'none'
  /** `volatile`: sessions may be gone at any time, and with a restart. `disk`: they survive one. `browser`: it has them. */
  readonly durability: 'volatile' | 'disk' | 'browser'
}

/**
 * A place for session records: bytes under a key, for a time. Keys match `/^[A-Za-z0-9_:.-]{1,200}$/`,
 * lifetimes are whole seconds from 1. No method rejects because the store is away: that is `unavailable`.
 * All throw SessionError `invalid-option` for a key or a lifetime that no store could take (a mistake of the
 * caller), and `too-large` for a value of more than `maxValueBytes`.
 */
export interface Store {
  /** For people: in messages and in inspectors. */
  readonly name: string
  readonly guarantees: Guarantees

  /**
   * The value, and its lifetime begins anew, in one trip. With `null` the lifetime stays as it is.
   * - missing, expired or evicted: `miss`. Malformed bytes are a `hit`: the store does not judge them.
   * - concurrent or repeated: any number of reads give the same value and token until somebody writes.
   *   Extending the lifetime never changes the token.
   */
  read(key: string, ttlSeconds: number | null): Promise<ReadResult>

  /**
   * Stores a value where there is none.
   * - there is one: `exists`, unchanged. An expired one is none.
   * - concurrent: exactly one of many is `stored`. Repeated: `exists`.
   * - `unavailable`: it may or may not have been stored.
   */
  create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult>

  /**
   * Stores a value in place of the one that was read.
   * - changed since: `conflict`. Gone since: `missing`; it is never stored anew.
   * - concurrent: of many with one token exactly one is `stored`. Repeated: `conflict`.
   * - `unavailable`: it may or may not have been stored.
   */
  replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<ReplaceResult>

  /**
   * Stores a value whatever there is or is not. For tombstones alone: anything else would bring an ended
   * session back.
   */
  end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult>

  /** Lets go of connections and memory. Later calls are `unavailable`. Repeated: does nothing. */
  close(): Promise<void>
}

/**
 * A store that keeps sessions in the cookie, and perhaps some elsewhere. What it knows came with a request, so it is
 * opened for each, and what it then holds leaves with the answer.
 */
export interface CarriedStore {
  readonly name: string
  readonly guarantees: Guarantees
  /** Bytes of a value that the cookie takes. */
  readonly maxBytes: number
  /** Where lists of an owner's sessions are kept; without it there are none. */
  readonly shared?: Store
  /** @param carried the bytes that came for a key, if any did; already known to be ours */
  open(carried: (key: string) => Uint8Array | undefined): OpenedStore
  close(): Promise<void>
}

/** Keeps the contract of `Store` within one request. Between two that ran at once, the later answer counts. */
export interface OpenedStore extends Store {
  /** Whether the cookie has to be set for the browser to have what this store holds. */
  readonly isChanged: boolean
  /** What the cookie must carry for `key`; undefined when the session is elsewhere, or nowhere. */
  carriedFor(key: string): Uint8Array | undefined
}

export function isCarried(store: Store | CarriedStore): store is CarriedStore {
  return 'open' in store
}

/** Below the 1,048,500 bytes that a memcached stores by default. A record is a quarter of it at most. */
export const maxValueBytes = 1_000_000

/** What goes over the wire of a store that puts a few bytes before the value. */
export const maxItemBytes: number = maxValueBytes + 64

const keyPattern = /^[A-Za-z0-9_:.-]{1,200}$/
/** Sixty-eight years: what fits a signed 32-bit number, as memcached takes it. */
const maxTtlSeconds = 2_147_483_647

export function checkKey(key: string): void {
  if (!keyPattern.test(key))
    throw new SessionError('invalid-option', 'A store key has letters that no store takes.')
}

export function checkTtl(ttlSeconds: number): void {
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= maxTtlSeconds) return
  throw new SessionError(
    'invalid-option',
    `A lifetime is a whole number of seconds from 1, not ${ttlSeconds}.`,
  )
}

export function checkValueSize(value: Uint8Array, most: number = maxValueBytes): void {
  if (value.byteLength <= most) return
  throw new SessionError('too-large', `The store takes ${most} bytes, not ${value.byteLength}.`)
}
