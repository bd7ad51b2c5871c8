// Sessions in any storage that unstorage has a driver for. No driver can compare and swap, so this process does:
// whatever concerns one key happens in turn. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  number,
  oneOf,
} from '../../protocol/check-options.ts'
import { SessionError } from '../../protocol/errors.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import { lifeHints } from '../argument-checks.ts'
import type { Queue } from '../queue.ts'
import type { Store, Unavailable } from '../store.ts'
import { checkedStore } from '../wrapped-store.ts'
import { type Envelope, decodeEnvelope, encodeEnvelope, textOf } from './envelope.ts'
import { createTimedQueue } from './timed-queue.ts'

/** The options of `unstorageStore`. */
export interface UnstorageStoreOptions {
  /**
   * What the driver keeps through a restart of itself or its machine: nothing for certain, or what it stored.
   * @default 'volatile'
   */
  readonly durability?: 'volatile' | 'disk'
  /**
   * For each operation, from 1 to 60,000; waiting for earlier operations on the same key is part of it. @default 1000
   */
  readonly timeoutMilliseconds?: number
  /** Milliseconds since 1970. @default the system's */
  readonly clock?: Clock
}

/**
 * What is used of unstorage's `Storage`. Written out here, because its own types name those of every driver's
 * packages, and do not compile where those are not installed.
 */
export interface RawStorage {
  /** What is stored, as the driver gives it; null when there is nothing. */
  getItemRaw(key: string): Promise<unknown>
  /** @param options `ttl`: seconds after which a driver that knows lifetimes may remove the item */
  setItemRaw(key: string, value: string, options: { readonly ttl: number }): Promise<void>
  /** Removes what is stored under the key, if anything is. */
  removeItem(key: string): Promise<void>
}

const unstorageChecks: ChecksOf<UnstorageStoreOptions> = {
  durability: oneOf('volatile', 'disk'),
  timeoutMilliseconds: number,
  clock: callback,
}
const unstorageOptions: KnownOptions = {
  checks: unstorageChecks,
  hints: {
    ...lifeHints,
    timeout: 'write timeoutMilliseconds',
    prefix: 'give prefixStorage(storage, prefix) as the first argument',
    base: 'give prefixStorage(storage, base) as the first argument',
    driver: 'give createStorage({ driver }) as the first argument',
    storage: 'give the storage as the first argument',
  },
}

/** Drivers that know lifetimes get this much more: their clocks are not ours, and too late is better than too early. */
const ttlMarginSeconds = 60
/** Until something that is no envelope is looked at again: another process may be writing it. */
const secondLookMilliseconds = 100
/** Reading writes only when the lifetime would move by more than this share of it: it writes the whole item. */
const minTouchShare = 1 / 100

/**
 * A store in an unstorage `Storage`, for one process. A second process on the same storage loses changes.
 * - worst case: an operation ends after `timeoutMilliseconds` as `unavailable`; a driver that hangs makes that one key
 *   `unavailable` until it answers.
 * - a lifetime may end a hundredth too early, because reading rewrites the item no more often.
 * - `close` leaves the storage as it is: it is the app's.
 * @throws SessionError `invalid-option` for a timeout out of its range
 * @example const store = unstorageStore(prefixStorage(storage, 'sessions'), { durability: 'disk' })
 */
export function unstorageStore(storage: RawStorage, options: UnstorageStoreOptions = {}): Store {
  checkStorage(storage)
  checkOptions('unstorageStore', options, unstorageOptions)
  const { durability = 'volatile', timeoutMilliseconds = 1000, clock = systemClock } = options
  checkWholeNumber('timeoutMilliseconds', timeoutMilliseconds, { from: 1, to: 60_000 })
  const envelopes = new StoredEnvelopes(storage, { timeoutMilliseconds, clock })
  const envelopeOf = (value: Uint8Array, ttlSeconds: number): Envelope => {
    return { token: crypto.randomUUID(), expires: clock() + ttlSeconds * 1000, value }
  }
  return checkedStore({
    name: 'unstorage',
    guarantees: { compareAndSwap: 'this-process', revocation: 'final', durability },
    read: (key, ttlSeconds) =>
      envelopes.alone(key, async (item) => {
        const found = await item.live()
        if (found === undefined) return { kind: 'miss' }
        if (ttlSeconds !== null) await item.touch(found, ttlSeconds)
        return { kind: 'hit', value: found.value, token: found.token }
      }),
    create(key, value, ttlSeconds) {
      const envelope = envelopeOf(value, ttlSeconds)
      return envelopes.alone(key, async (item) =>
        (await item.live()) === undefined ? item.put(envelope) : { kind: 'exists' },
      )
    },
    replace(key, value, { token, ttlSeconds }) {
      const envelope = envelopeOf(value, ttlSeconds)
      return envelopes.alone(key, async (item) => {
        const found = await item.live()
        if (found === undefined) return { kind: 'missing' }
        return found.token === token ? item.put(envelope) : { kind: 'conflict' }
      })
    },
    end(key, value, ttlSeconds) {
      const envelope = envelopeOf(value, ttlSeconds)
      return envelopes.alone(key, (item) => item.put(envelope))
    },
    close: () => Promise.resolve(),
  })
}

function checkStorage(storage: unknown): void {
  const methods = ['getItemRaw', 'setItemRaw', 'removeItem']
  const isObject = typeof storage === 'object' && storage !== null
  if (isObject && methods.every((name) => typeof Reflect.get(storage, name) === 'function')) return
  throw new SessionError(
    'invalid-option',
    'unstorageStore takes a storage of unstorage as its first argument, such as createStorage({ driver }).',
  )
}

/** One key's item, while nothing else in this process touches it. */
interface Item {
  /** What is there and has not expired. */
  live(): Promise<Envelope | undefined>
  /** Begins the lifetime anew, if that matters. */
  touch(found: Envelope, ttlSeconds: number): Promise<void>
  put(envelope: Envelope): Promise<{ readonly kind: 'stored' }>
}

/** The envelopes of one storage, each key in turn and within a deadline. */
class StoredEnvelopes {
  readonly #storage: RawStorage
  readonly #clock: Clock
  readonly #inTurn: Queue
  /** Whether something that was stored has been read back. */
  #isVerified = false

  constructor(storage: RawStorage, options: { readonly timeoutMilliseconds: number; readonly clock: Clock }) {
    this.#storage = storage
    this.#clock = options.clock
    this.#inTurn = createTimedQueue(options.timeoutMilliseconds)
  }

  /** Runs while nothing else touches the key. What the driver throws, and the deadline, are `unavailable`. */
  async alone<Result>(key: string, run: (item: Item) => Promise<Result>): Promise<Result | Unavailable> {
    const name = nameOf(key)
    const item: Item = {
      live: () => this.#live(name),
      touch: async (found, ttlSeconds) => {
        const expires = this.#clock() + ttlSeconds * 1000
        if (Math.abs(found.expires - expires) > ttlSeconds * 1000 * minTouchShare) {
          await this.#put(name, { ...found, expires })
        }
      },
      put: (envelope) => this.#put(name, envelope),
    }
    try {
      return await this.#inTurn(name, () => run(item))
    } catch (cause) {
      return { kind: 'unavailable', cause }
    }
  }

  async #live(name: string): Promise<Envelope | undefined> {
    const text = textOf(await this.#storage.getItemRaw(name))
    if (text === undefined) return undefined
    // Cut: another process is writing it, or died while it wrote. Then the session is lost.
    const envelope = decodeEnvelope(text) ?? (await this.#lookAgain(name))
    if (envelope === undefined || envelope.expires > this.#clock()) return envelope
    // Most drivers would never remove it. Where one cannot, it has expired all the same.
    await this.#storage.removeItem(name).catch(() => undefined)
    return undefined
  }

  async #lookAgain(name: string): Promise<Envelope | undefined> {
    await new Promise((resolve) => setTimeout(resolve, secondLookMilliseconds))
    return decodeEnvelope(textOf(await this.#storage.getItemRaw(name)) ?? '')
  }

  async #put(name: string, envelope: Envelope): Promise<{ readonly kind: 'stored' }> {
    const text = encodeEnvelope(envelope)
    const ttl = Math.ceil((envelope.expires - this.#clock()) / 1000) + ttlMarginSeconds
    await this.#storage.setItemRaw(name, text, { ttl })
    // A driver that can only read says nothing when it is given something. Once is enough: it stays the same driver.
    if (!this.#isVerified && textOf(await this.#storage.getItemRaw(name)) !== text) {
      throw new Error('The driver does not keep what it is given: it may be one that can only read.')
    }
    this.#isVerified = true
    return { kind: 'stored' }
  }
}

/**
 * unstorage takes `a::b` for `a:b` and refuses dots, and a driver that makes folders of colons cannot have both `a` and
 * `a:b`. Keys have neither of the characters that are put in their place.
 */
function nameOf(key: string): string {
  return key.replaceAll(':', '~').replaceAll('.', '!')
}
