// The two ways to put something around a store: checks before every operation (for those who write a store), and
// anything else around every operation (for those who watch one, or let it fail).
import { checkKey, checkTtl, checkValueSize } from './argument-checks.ts'
import type { ReplaceOptions, Store, Unavailable } from './store.ts'

/** The methods of `Store` that reach the storage. */
export type StoreOperation = 'read' | 'create' | 'replace' | 'end'

/** One call of an operation. */
export interface StoreCall {
  readonly operation: StoreOperation
  readonly key: string
}

/**
 * Runs one operation, or says why it does not.
 * @param run asks the store inside
 */
export type AroundOperation = <Result extends { readonly kind: string }>(
  call: StoreCall,
  run: () => Promise<Result>,
) => Promise<Result | Unavailable>

/**
 * A store that does what `store` does, each operation by way of `around`. Name, guarantees and `close` are those of
 * `store`. It adds no promise of its own.
 * @example wrapStore(store, (call, run) => (isDown ? down : run()))
 */
export function wrapStore(store: Store, around: AroundOperation): Store {
  return {
    name: store.name,
    guarantees: store.guarantees,
    read: (key, ttlSeconds) => around({ operation: 'read', key }, () => store.read(key, ttlSeconds)),
    create: (key, value, ttlSeconds) =>
      around({ operation: 'create', key }, () => store.create(key, value, ttlSeconds)),
    replace: (key, value, options) =>
      around({ operation: 'replace', key }, () => store.replace(key, value, options)),
    end: (key, value, ttlSeconds) =>
      around({ operation: 'end', key }, () => store.end(key, value, ttlSeconds)),
    close: () => store.close(),
  }
}

/**
 * A store whose operations get checked arguments, and values that are their own: the caller may change the bytes
 * while an operation waits. After `close` every operation is `unavailable` and does not reach the store inside; `close`
 * reaches it once.
 */
export function checkedStore(store: Store): Store {
  let isClosed = false
  const guard = <Result>(run: () => Promise<Result>): Promise<Result | Unavailable> =>
    isClosed ? Promise.resolve(closed()) : run()

  return {
    name: store.name,
    guarantees: store.guarantees,
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      return guard(() => store.read(key, ttlSeconds))
    },
    async create(key, value, ttlSeconds) {
      const own = checkedCopy(key, value, { ttlSeconds })
      return guard(() => store.create(key, own, ttlSeconds))
    },
    async replace(key, value, options) {
      const own = checkedCopy(key, value, options)
      return guard(() => store.replace(key, own, options))
    },
    async end(key, value, ttlSeconds) {
      const own = checkedCopy(key, value, { ttlSeconds })
      return guard(() => store.end(key, own, ttlSeconds))
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await store.close()
    },
  }
}

/** What every store answers after `close`. */
export function closed(): Unavailable {
  return { kind: 'unavailable', cause: new Error('The store was closed.') }
}

interface CopyOptions extends Pick<ReplaceOptions, 'ttlSeconds'> {
  /** @default 1,000,000 */
  readonly maxBytes?: number
}

/**
 * A copy of a value that may be stored.
 * @throws SessionError `invalid-option` or `too-large`
 */
export function checkedCopy(
  key: string,
  value: Uint8Array,
  { ttlSeconds, maxBytes }: CopyOptions,
): Uint8Array {
  checkKey(key)
  checkTtl(ttlSeconds)
  checkValueSize(value, maxBytes)
  return value.slice()
}
