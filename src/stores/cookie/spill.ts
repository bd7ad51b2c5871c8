// Small sessions in the cookie, larger ones in another store, and back: what TurboGears recommends to do by hand, by
// size. Each value has a version, so that of two copies the newer one counts, and an end counts more than all.
import { type ChecksOf, type KnownOptions, checkOptions, flag } from '../../protocol/check-options.ts'
import { SessionError } from '../../protocol/errors.ts'
import { lifeHints } from '../argument-checks.ts'
import type {
  CarriedStore,
  CreateResult,
  EndResult,
  Guarantees,
  OpenedStore,
  ReadResult,
  ReplaceOptions,
  ReplaceResult,
  Store,
} from '../store.ts'
import { decodeVersioned, encodeVersioned, endVersion } from '../versioned.ts'

/** The options of `spillStore`. */
export interface SpillStoreOptions {
  /**
   * Whether every request asks the large store if its session has ended: one trip, also for sessions in the cookie.
   * Without it a copy of the cookie works on after a sign-out: until the absolute end where it is used, and until its idle end
   * where it is not. @default true
   */
  readonly tombstones?: boolean
}

/** A session goes back to the cookie when it needs this share of the room or less: not to and fro at the edge. */
const returnShare = 0.75

/**
 * A store that keeps what fits in the cookie, and everything else in `large`. What the cookie holds has the weakness of
 * `small`: of two requests that change one session at once, the later answer counts. Lists of an owner's sessions are in
 * `large` and do not know the sessions in cookies: those can all be ended, but not shown.
 * @param small `cookieStore()`
 * @example const store = spillStore(cookieStore(), memcachedStore({ servers: '127.0.0.1:11211' }))
 */
export function spillStore(small: CarriedStore, large: Store, options: SpillStoreOptions = {}): CarriedStore {
  if (!isStore(small, 'open')) throw notAStore('first', 'cookieStore()')
  if (!isStore(large, 'read')) throw notAStore('second', 'a Store, such as memcachedStore(…)')
  checkOptions('spillStore', options, spillOptions)
  const { tombstones = true } = options
  const guarantees = { ...small.guarantees, revocation: tombstones ? 'kept' : 'none' } as const
  const name = `${small.name}, then ${large.name}`
  const whole: WholeStore = { name, guarantees, large, tombstones, maxBytes: small.maxBytes }
  return {
    kind: 'carried',
    name,
    guarantees,
    shared: large,
    maxBytes: small.maxBytes,
    open: (carried) => new OpenedSpill(small.open(carried), whole),
    async close() {
      await Promise.all([small.close(), large.close()])
    },
  }
}

const spillChecks: ChecksOf<SpillStoreOptions> = { tombstones: flag }
const spillOptions: KnownOptions = {
  checks: spillChecks,
  hints: { ...lifeHints, maxBytes: 'it is an option of cookieStore' },
}

function isStore(store: unknown, method: 'open' | 'read'): boolean {
  return typeof store === 'object' && store !== null && typeof Reflect.get(store, method) === 'function'
}

function notAStore(place: string, wanted: string): SessionError {
  return new SessionError('invalid-option', `spillStore takes ${wanted} as its ${place} argument.`)
}

/** What all requests share. */
interface WholeStore {
  readonly name: string
  readonly guarantees: Guarantees
  readonly large: Store
  readonly tombstones: boolean
  /** Bytes that fit in the cookie. */
  readonly maxBytes: number
}

/** The cookie of one request, and the large store. `here` is the cookie, `there` the large store. */
class OpenedSpill implements OpenedStore {
  readonly name: string
  readonly guarantees: Guarantees
  readonly #here: OpenedStore
  readonly #there: Store
  readonly #asksForEnds: boolean
  readonly #maxBytes: number
  /** Keys whose sessions have left the cookie, or never were in it, since this request came. */
  readonly #spilled = new Set<string>()
  #isChanged = false
  #createdThere = false

  constructor(here: OpenedStore, whole: WholeStore) {
    this.name = whole.name
    this.guarantees = whole.guarantees
    this.#here = here
    this.#there = whole.large
    this.#asksForEnds = whole.tombstones
    this.#maxBytes = whole.maxBytes
  }

  get isChanged(): boolean {
    return this.#isChanged || this.#here.isChanged
  }

  carriedFor(key: string): Uint8Array | undefined {
    return this.#spilled.has(key) ? undefined : this.#here.carriedFor(key)
  }

  async read(key: string, ttlSeconds: number | null): Promise<ReadResult> {
    const here: ReadResult = this.#spilled.has(key)
      ? { kind: 'miss' }
      : await this.#here.read(key, ttlSeconds)
    if (here.kind === 'unavailable' || (here.kind === 'hit' && !this.#asksForEnds)) {
      return asHit(here, 'here')
    }
    // When the session is in the cookie, a copy there is an old one: it need not live on.
    const there = await this.#there.read(key, here.kind === 'hit' ? null : ttlSeconds)
    if (there.kind === 'unavailable') return there
    const isHere = here.kind === 'hit' && (there.kind === 'miss' || versionOf(here) >= versionOf(there))
    return isHere ? asHit(here, 'here') : asHit(there, 'there')
  }

  async create(key: string, value: Uint8Array, ttlSeconds: number): Promise<CreateResult> {
    const bytes = encodeVersioned(value, 1)
    this.#createdThere = bytes.byteLength > this.#maxBytes
    return (this.#createdThere ? this.#there : this.#here).create(key, bytes, ttlSeconds)
  }

  async replace(key: string, value: Uint8Array, options: ReplaceOptions): Promise<ReplaceResult> {
    const located = parseToken(options)
    if (located.side === 'there') return this.#replaceThere(key, value, located)
    return this.#spilled.has(key) ? { kind: 'conflict' } : this.#replaceHere(key, value, located)
  }

  async end(key: string, value: Uint8Array, ttlSeconds: number): Promise<EndResult> {
    const bytes = encodeVersioned(value, endVersion)
    const ended = await this.#there.end(key, bytes, ttlSeconds)
    if (ended.kind === 'unavailable') return ended
    if (bytes.byteLength <= this.#maxBytes) return this.#here.end(key, bytes, ttlSeconds)
    this.#leaveCookie(key)
    return ended
  }

  async close(): Promise<void> {
    await this.#here.close()
  }

  #leaveCookie(key: string): void {
    this.#isChanged ||= this.#here.carriedFor(key) !== undefined
    this.#spilled.add(key)
  }

  async #replaceHere(key: string, value: Uint8Array, options: LocatedReplace): Promise<ReplaceResult> {
    if (options.leaves === 'ended') {
      const bytes = encodeVersioned(value, endVersion)
      // First where an end is final. It also ends the copy that stayed there when the session came to the cookie.
      const ended = await this.#there.end(key, bytes, options.ttlSeconds)
      return ended.kind === 'unavailable' ? ended : this.#here.replace(key, bytes, options)
    }
    const bytes = encodeVersioned(value, options.version + 1)
    return bytes.byteLength <= this.#maxBytes
      ? this.#here.replace(key, bytes, options)
      : this.#moveThere(key, bytes, options)
  }

  async #moveThere(key: string, bytes: Uint8Array, options: LocatedReplace): Promise<ReplaceResult> {
    const here = await this.#here.read(key, null)
    if (here.kind !== 'hit' || here.token !== options.token) return { kind: 'conflict' }
    const created = await this.#there.create(key, bytes, options.ttlSeconds)
    if (created.kind === 'unavailable') return created
    if (created.kind === 'exists') return this.#overwriteOlder(key, bytes, options)
    this.#leaveCookie(key)
    return { kind: 'stored' }
  }

  /** Overwrites the copy that stayed there when the session went to the cookie. */
  async #overwriteOlder(key: string, bytes: Uint8Array, options: LocatedReplace): Promise<ReplaceResult> {
    const { version, ttlSeconds } = options
    const found = await this.#there.read(key, null)
    if (found.kind === 'unavailable') return found
    if (found.kind === 'miss') return { kind: 'conflict' }
    if (versionOf(found) > version) {
      // Another request has stored a newer one: what the cookie holds is not the session any more.
      this.#leaveCookie(key)
      return { kind: 'conflict' }
    }
    const replaced = await this.#there.replace(key, bytes, { token: found.token, ttlSeconds })
    if (replaced.kind === 'stored') this.#leaveCookie(key)
    return replaced.kind === 'missing' ? { kind: 'conflict' } : replaced
  }

  async #replaceThere(key: string, value: Uint8Array, options: LocatedReplace): Promise<ReplaceResult> {
    const { leaves, version, ttlSeconds } = options
    // A pointer to a session in the cookie of another answer would lead nowhere.
    if (leaves === 'moved' && !this.#createdThere) return { kind: 'stored' }
    const bytes = encodeVersioned(value, leaves === 'ended' ? endVersion : version + 1)
    const replaced = await this.#there.replace(key, bytes, options)
    if (leaves !== undefined || replaced.kind !== 'stored') return replaced
    // Back in the cookie it stays there, too: requests that are on their way have a cookie without it.
    if (bytes.byteLength > this.#maxBytes * returnShare) this.#leaveCookie(key)
    else if ((await this.#here.end(key, bytes, ttlSeconds)).kind === 'stored') this.#spilled.delete(key)
    return replaced
  }
}

/** The version of what was read; less than any version when nothing was. */
const versionOf = (read: ReadResult): number =>
  read.kind === 'hit' ? decodeVersioned(read.value).version : -1

type Side = 'here' | 'there'

/** What the token of a read said: where the session was, and its version. `token` is the one of that side. */
interface LocatedReplace extends ReplaceOptions {
  readonly side: Side
  readonly version: number
}

/** A hit of one side as one of the whole: where it was, and its version, stand in the token. */
function asHit(found: ReadResult, side: Side): ReadResult {
  if (found.kind !== 'hit') return found
  const { version, value } = decodeVersioned(found.value)
  return { kind: 'hit', value, token: `${side}.${version}.${found.token}` }
}

function parseToken(options: ReplaceOptions): LocatedReplace {
  const [, side, version, token = ''] = /^(here|there)\.(\d{1,15})\.(.*)$/s.exec(options.token) ?? []
  // A token that no read gave is as good as an old one, or the large store refuses it.
  return {
    ...options,
    token: side === undefined ? options.token : token,
    side: side === 'here' ? side : 'there',
    version: Number(version ?? 0),
  }
}
