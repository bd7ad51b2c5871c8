// Sessions in any storage that unstorage has a driver for. No driver can compare and swap, so this process does:
// whatever concerns one key happens in turn. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { SessionError } from '../../protocol/errors.ts'
import { type Store, type Unavailable, checkKey, checkTtl, checkValueSize } from '../store.ts'
import { createTimedQueue } from './timed-queue.ts'
import { type Envelope, decodeEnvelope, encodeEnvelope, textOf } from './envelope.ts'

export interface UnstorageStoreOptions {
  /** What the driver keeps when it or its machine is started again: nothing for certain, or what it stored. @default 'volatile' */
  readonly durability?: 'volatile' | 'disk'
  /** For each operation, waiting for earlier ones on the same key included. @default 1000 */
  readonly timeoutMilliseconds?: number
  /** @default the system's */
  readonly clock?: Clock
}

/**
 * What is used of unstorage's `Storage`. Written out: its own types name those of every driver's packages, and do not
 * compile where those are not installed.
 */
export interface RawStorage {
  getItemRaw(key: string): Promise<unknown>
  setItemRaw(key: string, value: string, options: { readonly ttl: number }): Promise<void>
  removeItem(key: string): Promise<void>
}

/** Drivers that know lifetimes may remove an item so many seconds after its end: their clocks are others. */
const ttlMargin = 60
/** Milliseconds until something that is no envelope is looked at again: another process may be writing it. */
const lookAgainAfter = 100

/**
 * A store in an unstorage `Storage`, for one process. A second one on the same storage loses changes.
 * Worst case: an operation ends after `timeoutMilliseconds` as `unavailable`; a driver that hangs makes that one key
 * `unavailable` until it answers. A lifetime may end a hundredth too early: reading rewrites the item no more often.
 * @throws SessionError `invalid-option` for a number that cannot be
 * @example const store = unstorageStore(prefixStorage(storage, 'sessions'), { durability: 'disk' })
 */
export function unstorageStore(storage: RawStorage, options: UnstorageStoreOptions = {}): Store {
  const { durability = 'volatile', timeoutMilliseconds = 1000, clock = systemClock } = options
  checkTimeout(timeoutMilliseconds)
  const inTurn = createTimedQueue(timeoutMilliseconds)
  let isVerified = false
  let isClosed = false

  async function attempt<Result>(
    key: string,
    run: (name: string) => Promise<Result>,
  ): Promise<Result | Unavailable> {
    const name = nameOf(key)
    try {
      if (isClosed) throw new Error('The store was closed.')
      return await inTurn(name, () => run(name))
    } catch (cause) {
      return { kind: 'unavailable', cause }
    }
  }

  async function live(name: string): Promise<Envelope | undefined> {
    const text = textOf(await storage.getItemRaw(name))
    if (text === undefined) return undefined
    // Cut: another process is writing it, or died while it did. Then it is lost.
    const envelope = decodeEnvelope(text) ?? (await lookAgain(name))
    if (envelope === undefined || envelope.expires > clock()) return envelope
    // Most drivers would keep it for ever. One that cannot remove it has expired it no less.
    await storage.removeItem(name).catch(() => undefined)
    return undefined
  }

  async function lookAgain(name: string): Promise<Envelope | undefined> {
    await new Promise((resolve) => setTimeout(resolve, lookAgainAfter))
    return decodeEnvelope(textOf(await storage.getItemRaw(name)) ?? '')
  }

  async function put(name: string, envelope: Envelope): Promise<{ kind: 'stored' }> {
    const text = encodeEnvelope(envelope)
    const ttl = Math.ceil((envelope.expires - clock()) / 1000) + ttlMargin
    await storage.setItemRaw(name, text, { ttl })
    // A driver that can only read says nothing when it is given something. Once is enough: it stays the same one.
    if (!isVerified && textOf(await storage.getItemRaw(name)) !== text) {
      throw new Error('The driver does not keep what it is given.')
    }
    isVerified = true
    return { kind: 'stored' }
  }

  function envelopeOf(value: Uint8Array, ttlSeconds: number): Envelope {
    checkTtl(ttlSeconds)
    checkValueSize(value)
    // A copy: the caller may change the bytes while earlier operations are waited for.
    return { token: crypto.randomUUID(), expires: clock() + ttlSeconds * 1000, value: value.slice() }
  }

  return {
    name: 'unstorage',
    guarantees: { compareAndSwap: 'this-process', revocation: 'final', durability },
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      return attempt(key, async (name) => {
        const found = await live(name)
        if (found === undefined) return { kind: 'miss' }
        if (ttlSeconds !== null) {
          const expires = clock() + ttlSeconds * 1000
          if (Math.abs(found.expires - expires) > ttlSeconds * 10) await put(name, { ...found, expires })
        }
        return { kind: 'hit', value: found.value, token: found.token }
      })
    },
    async create(key, value, ttlSeconds) {
      checkKey(key)
      const envelope = envelopeOf(value, ttlSeconds)
      return attempt(key, async (name) =>
        (await live(name)) === undefined ? put(name, envelope) : { kind: 'exists' },
      )
    },
    async replace(key, value, { token, ttlSeconds }) {
      checkKey(key)
      const envelope = envelopeOf(value, ttlSeconds)
      return attempt(key, async (name) => {
        const found = await live(name)
        if (found === undefined) return { kind: 'missing' }
        return found.token === token ? put(name, envelope) : { kind: 'conflict' }
      })
    },
    async end(key, value, ttlSeconds) {
      checkKey(key)
      const envelope = envelopeOf(value, ttlSeconds)
      return attempt(key, (name) => put(name, envelope))
    },
    async close() {
      // The storage is not ours to dispose of.
      isClosed = true
    },
  }
}

/** unstorage takes `a::b` for `a:b` and refuses dots; a driver makes folders of colons, so `a` and `a:b` exclude each other. */
function nameOf(key: string): string {
  return key.replaceAll(':', '~').replaceAll('.', '!')
}

function checkTimeout(timeoutMilliseconds: number): void {
  if (Number.isSafeInteger(timeoutMilliseconds) && timeoutMilliseconds >= 1 && timeoutMilliseconds <= 60_000)
    return
  throw new SessionError('invalid-option', 'timeoutMilliseconds must be a whole number from 1 to 60000.')
}
