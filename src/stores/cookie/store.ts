// Sessions in the cookie itself, as Beaker has them by default: nothing is kept anywhere else, so nothing can be
// taken back either. Runs anywhere: no Node imports.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { SessionError } from '../../protocol/errors.ts'
import { decodeCarried, encodeCarried } from './carried-value.ts'
import { type CarriedStore, type OpenedStore, checkKey, checkTtl, checkValueSize } from '../store.ts'

export interface CookieStoreOptions {
  /** Bytes of a session, with about 300 for what is known of it beside its keys. @default 2800, which is the most */
  readonly maxBytes?: number
  /** Milliseconds. @default the system's */
  readonly clock?: Clock
}

/**
 * What fits: browsers take 4,096 bytes of name and value, of which the longest name is 76, the signed part 167, and
 * base64 makes four bytes of three.
 */
const mostBytes = 2800
/** A lifetime may end so much too early: extending it means setting the cookie again. */
const slack = 1 / 32

interface Item {
  readonly value: Uint8Array
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

/**
 * A store that keeps sessions in the cookie alone, encrypted. Of two requests that change one session at once, the
 * later answer counts; a copy of the cookie works until its idle time is over, signed out or not; an owner's sessions
 * cannot be listed or ended.
 * @throws SessionError `invalid-option` for a `maxBytes` that no browser would keep
 * @example createSessions({ schema, secrets, store: cookieStore() })
 */
export function cookieStore({
  maxBytes = mostBytes,
  clock = systemClock,
}: CookieStoreOptions = {}): CarriedStore {
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1 || maxBytes > mostBytes)
    throw new SessionError('invalid-option', `maxBytes is a whole number from 1 to ${mostBytes}.`)
  const guarantees = { compareAndSwap: 'none', revocation: 'none', durability: 'browser' } as const
  let isClosed = false
  const store: CarriedStore = {
    name: 'cookie',
    guarantees,
    maxBytes,
    open: (carried) => openCookie(carried, { store, clock, isClosed: () => isClosed }),
    async close() {
      isClosed = true
    },
  }
  return store
}

interface Opening {
  readonly store: CarriedStore
  readonly clock: Clock
  readonly isClosed: () => boolean
}

function openCookie(
  carried: (key: string) => Uint8Array | undefined,
  { store: { name, guarantees, maxBytes }, clock, isClosed }: Opening,
): OpenedStore {
  /** What came, as it is looked at, and what was stored since. Undefined: it left. */
  const items = new Map<string, Item | undefined>()
  let lastToken = 0
  let isChanged = false
  let isOver = false

  function live(key: string): Item | undefined {
    if (!items.has(key)) items.set(key, arrived(key))
    const item = items.get(key)
    return item !== undefined && item.expires > clock() ? item : undefined
  }

  function arrived(key: string): Item | undefined {
    const bytes = carried(key)
    return bytes && { ...decodeCarried(bytes), token: String(++lastToken) }
  }

  function put(key: string, value: Uint8Array, ttlSeconds: number): { kind: 'stored' } {
    items.set(key, { value: value.slice(), token: String(++lastToken), expires: clock() + ttlSeconds * 1000 })
    isChanged = true
    return { kind: 'stored' }
  }

  function check(key: string, value: Uint8Array, ttlSeconds: number): void {
    checkKey(key)
    checkTtl(ttlSeconds)
    checkValueSize(value, maxBytes)
  }

  const unavailable = (): { kind: 'unavailable'; cause: Error } | undefined =>
    isOver || isClosed() ? { kind: 'unavailable', cause: new Error('The store was closed.') } : undefined

  return {
    name,
    guarantees,
    get isChanged() {
      return isChanged
    },
    carriedFor(key) {
      const item = live(key)
      return item && encodeCarried(item.value, item.expires)
    },
    async read(key, ttlSeconds) {
      checkKey(key)
      if (ttlSeconds !== null) checkTtl(ttlSeconds)
      const item = live(key)
      if (unavailable() !== undefined || item === undefined) return unavailable() ?? { kind: 'miss' }
      const { value, token, expires } = item
      const wanted = clock() + (ttlSeconds ?? 0) * 1000
      if (ttlSeconds !== null && Math.abs(wanted - expires) > ttlSeconds * 1000 * slack) {
        items.set(key, { ...item, expires: wanted })
        isChanged = true
      }
      return { kind: 'hit', value: value.slice(), token }
    },
    async create(key, value, ttlSeconds) {
      check(key, value, ttlSeconds)
      return unavailable() ?? (live(key) === undefined ? put(key, value, ttlSeconds) : { kind: 'exists' })
    },
    async replace(key, value, { token, ttlSeconds }) {
      check(key, value, ttlSeconds)
      const item = live(key)
      if (unavailable() !== undefined || item === undefined) return unavailable() ?? { kind: 'missing' }
      if (item.token !== token) return { kind: 'conflict' }
      return put(key, value, ttlSeconds)
    },
    async end(key, value, ttlSeconds) {
      check(key, value, ttlSeconds)
      return unavailable() ?? put(key, value, ttlSeconds)
    },
    async close() {
      isOver = true
    },
  }
}
