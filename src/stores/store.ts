// What the server asks of a store, and what it may take for granted. Every store keeps this contract;
// `storeContract` of the testing door runs it against any of them. No store knows what a session is.

/**
 * The store did not answer, not in time, or not sensibly. It says nothing about the session: never take it for a
 * miss, and never for a sign-out.
 */
export interface Unavailable {
  /** Tells this result from the others. */
  readonly kind: 'unavailable'
  /** Why, for logs. An `Error` in all stores of this package. */
  readonly cause: unknown
}

/** What `read` found. */
export type ReadResult =
  | {
      readonly kind: 'hit'
      /** The bytes that were stored. They belong to the caller, who may change them. */
      readonly value: Uint8Array
      /**
       * Names this very state of the value, for one `replace` by the request that read it. Opaque. Do NOT keep it
       * longer: memcached counts from 1 again after a restart, and an old token may then name another state.
       */
      readonly token: string
    }
  | { readonly kind: 'miss' }
  | Unavailable

/** What became of `create`: `exists` when a value was there already. */
export type CreateResult = { readonly kind: 'stored' | 'exists' } | Unavailable

/** What became of `replace`: `conflict` when the value has changed since it was read, `missing` when it is gone. */
export type ReplaceResult = { readonly kind: 'stored' | 'conflict' | 'missing' } | Unavailable

/** What became of `end`. */
export type EndResult = { readonly kind: 'stored' } | Unavailable

/** What `replace` needs beside key and value. */
export interface ReplaceOptions {
  /** From the `read` of this very request. */
  readonly token: string
  /** The new lifetime, in whole seconds from 1. */
  readonly ttlSeconds: number
  /**
   * Says that the new value is no session any more: the session has `moved` to another id, or has `ended`. Only
   * stores that keep sessions in the cookie look at it. @default the value is a session
   */
  readonly leaves?: 'moved' | 'ended'
}

/** What a store can promise. */
export interface Guarantees {
  /**
   * Between whom `replace` decides. `all-processes`: between all that use this storage. `this-process`: two servers
   * can lose each other's changes. `none`: of two changes at once the later one counts.
   */
  readonly compareAndSwap: 'all-processes' | 'this-process' | 'none'
  /**
   * `final`: what has ended stays ended. `kept`: as long as the store keeps the tombstone; when it forgets that, a copy
   * of the cookie works again. `none`: a copy of the cookie works on.
   */
  readonly revocation: 'final' | 'kept' | 'none'
  /**
   * `volatile`: sessions may be gone at any time, and are gone after a restart. `disk`: they survive a restart.
   * `browser`: the browser has them.
   */
  readonly durability: 'volatile' | 'disk' | 'browser'
}

/**
 * A place for session records: bytes under a key, for a time. Keys match `/^[A-Za-z0-9_:.-]{1,200}$/`, lifetimes are
 * whole seconds from 1.
 * - unreachable: no method rejects because the storage is away; the result is `unavailable`, within the store's deadline.
 * - a mistake of the caller: all methods reject with SessionError `invalid-option` for a key or a lifetime that no store
 *   takes, and `too-large` for a value of more than 1,000,000 bytes. Nothing is stored then.
 */
export interface Store {
  /** Left out by every store that is one itself; a `CarriedStore` says `carried`. */
  readonly kind?: 'stored'
  /** For people: in messages and in inspectors. */
  readonly name: string
  /** What this store can promise. The app is warned at the start of what it cannot. */
  readonly guarantees: Guarantees

  /**
   * Reads a value and begins its lifetime anew, in one step. With `null` the lifetime stays as it is.
   * - missing, expired or evicted: `miss`.
   * - malformed: bytes that make no sense to the server are a `hit`; the store does not judge them. A store that
   *   cannot find its own format around them says `unavailable`, or `miss` if it can never be read again.
   * - concurrent or repeated: any number of reads give the same value and token until somebody writes. A lifetime that
   *   begins anew never changes the token.
   */
  read(key: string, ttlSeconds: number | null): Promise<ReadResult>

  /**
   * Stores a value where there is none. An expired one counts as none.
   * - there is one: `exists`, and it stays as it was.
   * - concurrent: exactly one of many is `stored`. Repeated: `exists`.
   * - `unavailable`: it may have been stored or not.
   */
  create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult>

  /**
   * Stores a value in place of the one that was read.
   * - changed since: `conflict`. Gone since: `missing`; nothing is stored then.
   * - concurrent: of many with one token exactly one is `stored`. Repeated: `conflict`.
   * - `unavailable`: it may have been stored or not.
   */
  replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<ReplaceResult>

  /**
   * Stores a tombstone over whatever is there, or where nothing is. Do NOT store a session with it, because that
   * could bring an ended one back.
   * - concurrent: the last one counts. Repeated: stores it again.
   * - `unavailable`: it may have been stored or not.
   */
  end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult>

  /** Lets go of connections, files and memory. Later calls are `unavailable`. Repeated: does nothing. */
  close(): Promise<void>
}

/**
 * A store that keeps sessions in the cookie, and perhaps some of them elsewhere. What it knows came with a request, so
 * it is opened for each request, and what it then holds leaves with the answer.
 */
export interface CarriedStore {
  /** Tells it from a `Store`. */
  readonly kind: 'carried'
  /** For people: in messages and in inspectors. */
  readonly name: string
  /** What this store can promise. The app is warned at the start of what it cannot. */
  readonly guarantees: Guarantees
  /** Bytes of a value that the cookie takes at most. */
  readonly maxBytes: number
  /** Where lists of an owner's sessions are kept. @default there are no such lists */
  readonly shared?: Store
  /**
   * Begins one request.
   * @param carried gives the bytes that came with the request for a key, if any did; they are known to be ours
   */
  open(carried: (key: string) => Uint8Array | undefined): OpenedStore
  /** Lets go of connections and memory. Later calls of what was opened are `unavailable`. Repeated: does nothing. */
  close(): Promise<void>
}

/** Keeps the contract of `Store` within one request. Of two requests that ran at once, the later answer counts. */
export interface OpenedStore extends Store {
  /** Whether the cookie has to be set again for the browser to have what this store holds. */
  readonly isChanged: boolean
  /** What the cookie must carry for `key`; undefined when the session is elsewhere, or nowhere. */
  carriedFor(key: string): Uint8Array | undefined
}
