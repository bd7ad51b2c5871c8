// Small sessions in the cookie, larger ones in another store and back: what TurboGears recommends by hand, by size.
// Each value has a version, so that of two copies the newer one counts; an end is newer than all.
import { decodeVersioned, encodeVersioned, endVersion } from '../versioned.ts'
import type {
  CarriedStore,
  CreateResult,
  EndResult,
  OpenedStore,
  ReadResult,
  ReplaceResult,
  ReplaceOptions,
  Store,
} from '../store.ts'

export interface SpillStoreOptions {
  /**
   * Whether every request asks the large store if its session has ended: one trip, also for those in the cookie.
   * Without it a copy of the cookie works after a sign-out, until its idle time is over. @default true
   */
  readonly tombstones?: boolean
}

/** A session goes back to the cookie when it needs so much of the room there, or less: not to and fro at the edge. */
const returning = 0.75

/**
 * A store that keeps what fits in the cookie, and everything else in `large`. What the cookie holds has the weakness of
 * `small`: of two requests that change one session at once the later answer counts. Lists of an owner's sessions are in
 * `large`, and know no sessions that are in cookies: those can all be ended, but not shown.
 * @param small `cookieStore()`
 * @example const store = spillStore(cookieStore(), memcachedStore({ servers: '127.0.0.1:11211' }))
 */
export function spillStore(
  small: CarriedStore,
  large: Store,
  { tombstones = true }: SpillStoreOptions = {},
): CarriedStore {
  const guarantees = { ...small.guarantees, revocation: tombstones ? 'kept' : 'none' } as const
  const name = `${small.name}, then ${large.name}`
  return {
    name,
    guarantees,
    shared: large,
    maxBytes: small.maxBytes,
    open: (carried) =>
      openSpill({
        name,
        guarantees,
        here: small.open(carried),
        there: large,
        tombstones,
        room: small.maxBytes,
      }),
    async close() {
      await Promise.all([small.close(), large.close()])
    },
  }
}

interface Sides extends Pick<Store, 'name' | 'guarantees'> {
  readonly here: OpenedStore
  readonly there: Store
  readonly tombstones: boolean
  /** Bytes that fit in the cookie. */
  readonly room: number
}

function openSpill({ name, guarantees, here, there, tombstones, room }: Sides): OpenedStore {
  /** Sessions that were in the cookie as this request came, and are not any more. */
  const spilled = new Set<string>()
  let isChanged = false
  let createdThere = false

  const readHere = async (key: string, ttlSeconds: number | null): Promise<ReadResult> =>
    spilled.has(key) ? { kind: 'miss' } : here.read(key, ttlSeconds)

  async function read(key: string, ttlSeconds: number | null): Promise<ReadResult> {
    const mine = await readHere(key, ttlSeconds)
    if (mine.kind === 'unavailable' || (mine.kind === 'hit' && !tombstones)) return asHit(mine, 'here')
    // Of a session in the cookie the copy there is an old one: it may go.
    const theirs = await there.read(key, mine.kind === 'hit' ? null : ttlSeconds)
    if (theirs.kind === 'unavailable') return theirs
    const isMine = mine.kind === 'hit' && (theirs.kind === 'miss' || versionOf(mine) >= versionOf(theirs))
    return isMine ? asHit(mine, 'here') : asHit(theirs, 'there')
  }

  function leaveCookie(key: string): void {
    isChanged ||= here.carriedFor(key) !== undefined
    spilled.add(key)
  }

  async function replaceHere(key: string, value: Uint8Array, options: Parsed): Promise<ReplaceResult> {
    if (options.leaves === 'ended') {
      // First where it is for good; and of what the session left there when it came back to the cookie.
      const ended = await there.end(key, toEnd(value), options.ttlSeconds)
      return ended.kind === 'unavailable' ? ended : here.replace(key, toEnd(value), options)
    }
    const bytes = encodeVersioned(value, options.version + 1)
    return bytes.byteLength <= room ? here.replace(key, bytes, options) : moveThere(key, bytes, options)
  }

  async function moveThere(key: string, bytes: Uint8Array, options: Parsed): Promise<ReplaceResult> {
    const mine = await here.read(key, null)
    if (mine.kind !== 'hit' || mine.token !== options.token) return { kind: 'conflict' }
    const created = await there.create(key, bytes, options.ttlSeconds)
    if (created.kind === 'unavailable') return created
    if (created.kind === 'exists') return overwriteOlder(key, bytes, options)
    leaveCookie(key)
    return { kind: 'stored' }
  }

  /** What was left behind there when the session went to the cookie. */
  async function overwriteOlder(
    key: string,
    bytes: Uint8Array,
    { version, ttlSeconds }: Parsed,
  ): Promise<ReplaceResult> {
    const found = await there.read(key, null)
    if (found.kind === 'unavailable') return found
    if (found.kind === 'miss') return { kind: 'conflict' }
    const isOlder = versionOf(found) <= version
    const replaced = isOlder && (await there.replace(key, bytes, { token: found.token, ttlSeconds }))
    // Ours, or somebody else's that is newer: the cookie's is not the session any more.
    if (replaced === false || replaced.kind === 'stored') leaveCookie(key)
    return replaced === false || replaced.kind === 'missing' ? { kind: 'conflict' } : replaced
  }

  async function replaceThere(key: string, value: Uint8Array, options: Parsed): Promise<ReplaceResult> {
    const { leaves, version, ttlSeconds } = options
    // A pointer that leads into the cookie of another answer would lead nowhere.
    if (leaves === 'moved' && !createdThere) return { kind: 'stored' }
    const bytes = leaves === 'ended' ? toEnd(value) : encodeVersioned(value, version + 1)
    const replaced = await there.replace(key, bytes, options)
    if (leaves !== undefined || replaced.kind !== 'stored') return replaced
    // Back in the cookie it stays there, too: requests that are on their way have a cookie without it.
    if (bytes.byteLength > room * returning) leaveCookie(key)
    else if ((await here.end(key, bytes, ttlSeconds)).kind === 'stored') spilled.delete(key)
    return replaced
  }

  return {
    name,
    guarantees,
    get isChanged() {
      return isChanged || here.isChanged
    },
    carriedFor: (key) => (spilled.has(key) ? undefined : here.carriedFor(key)),
    read,
    async create(key, value, ttlSeconds): Promise<CreateResult> {
      const bytes = encodeVersioned(value, 1)
      createdThere = bytes.byteLength > room
      return (createdThere ? there : here).create(key, bytes, ttlSeconds)
    },
    async replace(key, value, options) {
      const parsed = parse(options)
      if (parsed.side === 'there') return replaceThere(key, value, parsed)
      return spilled.has(key) ? { kind: 'conflict' } : replaceHere(key, value, parsed)
    },
    async end(key, value, ttlSeconds): Promise<EndResult> {
      const bytes = toEnd(value)
      const ended = await there.end(key, bytes, ttlSeconds)
      if (ended.kind === 'unavailable') return ended
      if (bytes.byteLength <= room) return here.end(key, bytes, ttlSeconds)
      leaveCookie(key)
      return ended
    },
    async close() {
      await here.close()
    },
  }
}

const toEnd = (value: Uint8Array): Uint8Array => encodeVersioned(value, endVersion)

const versionOf = (read: ReadResult): number =>
  read.kind === 'hit' ? decodeVersioned(read.value).version : -1

type Side = 'here' | 'there'
interface Parsed extends ReplaceOptions {
  readonly side: Side
  readonly version: number
}

/** A hit of one side as one of the whole: where it was, and its version, stand in the token. */
function asHit(found: ReadResult, side: Side): ReadResult {
  if (found.kind !== 'hit') return found
  const { version, value } = decodeVersioned(found.value)
  return { kind: 'hit', value, token: `${side}.${version}.${found.token}` }
}

function parse(options: ReplaceOptions): Parsed {
  const [, side, version, token = ''] = /^(here|there)\.(\d{1,15})\.(.*)$/s.exec(options.token) ?? []
  // One that no read gave is as good as an old one, or is refused by the large store.
  return {
    ...options,
    token: side === undefined ? options.token : token,
    side: side === 'here' ? side : 'there',
    version: Number(version ?? 0),
  }
}
