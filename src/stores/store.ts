// What the server asks of a store, and what it must never take for granted. Every store keeps this contract;
// `storeContract` in the testing door runs it against any of them.
import { SessionError } from '../protocol/errors.ts'

/** The store did not answer, or not in time, or not sensibly. It says nothing about the session. */
export interface Unavailable {
  readonly kind: 'unavailable'
  readonly cause: unknown
}

export type Read =
  | {
      readonly kind: 'hit'
      readonly value: Uint8Array
      /** Good for one `replace` by the request that read it: memcached counts from 1 again after a restart. */
      readonly token: string
    }
  | { readonly kind: 'miss' }
  | Unavailable
export type Created = { readonly kind: 'stored' | 'exists' } | Unavailable
export type Replaced = { readonly kind: 'stored' | 'conflict' | 'missing' } | Unavailable
export type Ended = { readonly kind: 'stored' } | Unavailable

export interface ReplaceOptions {
  /** From the `read` of this very request. */
  readonly token: string
  readonly ttlSeconds: number
}

/** What a store can promise. */
export interface Guarantees {
  /**
   * Between whom `replace` decides: `all-processes` that use this storage; `this-process`, so that two servers can
   * lose each other's changes; or nobody.
   */
  readonly compareAndSwap: 'all-processes' | 'this-process' | 'none'
  /** `final`: what has ended stays ended. `none`: an old copy of the session works again. */
  readonly revocation: 'final' | 'none'
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
  read(key: string, ttlSeconds: number | null): Promise<Read>

  /**
   * Stores a value where there is none.
   * - there is one: `exists`, unchanged. An expired one is none.
   * - concurrent: exactly one of many is `stored`. Repeated: `exists`.
   * - `unavailable`: it may or may not have been stored.
   */
  create(key: string, value: Uint8Array, ttlSeconds: number): Promise<Created>

  /**
   * Stores a value in place of the one that was read.
   * - changed since: `conflict`. Gone since: `missing`; it is never stored anew.
   * - concurrent: of many with one token exactly one is `stored`. Repeated: `conflict`.
   * - `unavailable`: it may or may not have been stored.
   */
  replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<Replaced>

  /**
   * Stores a value whatever there is or is not. For tombstones alone: anything else would bring an ended
   * session back.
   */
  end(key: string, value: Uint8Array, ttlSeconds: number): Promise<Ended>

  /** Lets go of connections and memory. Later calls are `unavailable`. Repeated: does nothing. */
  close(): Promise<void>
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
