// What the store holds for one session, as bytes that only this server can have written: JSON behind a MAC over the store
// key and the text. Anything else (swapped, truncated, poisoned, of another secret) reads as undefined: a loss, never
// somebody else's session.
import type { Outcome } from '../../protocol/mutation.ts'
import type { Entries, Epoch } from '../../protocol/state.ts'
import type { SessionId } from './cookie.ts'
import { toBase64Url } from '../../protocol/base64url.ts'
import type { ServerCrypto } from './crypto.ts'
import type { KeyRing, SecretKeys } from './key-ring.ts'
import { openItem, sealItem } from './sealed-item.ts'

/** What a browser was told about the last batch that it sent, so that the batch is applied once. */
export interface ClientMemo {
  /** The id that the browser gave itself. */
  readonly client: string
  /** The number of the batch. */
  readonly number: number
  /** The hash of the batch's text. */
  readonly hash: string
  /** Without the values of conflicts: those stand in the record. */
  readonly outcomes: readonly Outcome[]
  /** When the batch was applied. Seconds since 1970, as are all times here. */
  readonly at: number
}

/** A session as it is stored. */
export interface SessionRecord {
  /** Names this life of the session. */
  readonly epoch: Epoch
  /** Counts the changes of this session's keys. */
  readonly revision: number
  /** Who is signed in; null: nobody. */
  readonly owner: string | null
  /** When the first of its lives began. */
  readonly created: number
  /** When the owner signed in, or did so again; null: nobody is signed in. */
  readonly signedIn: number | null
  /** What the app calls this session in the list of its owner's sessions. */
  readonly label: string | null
  /** Whether the cookie outlives the browser. */
  readonly persistent: boolean
  /** The absolute end. Set when the session begins and at a sign-in; no use of the session moves it. */
  readonly expires: number
  /** When this session got the id that it has now. */
  readonly placed: number
  /**
   * When a browser came with that id so long after it was handed out that it had kept it (`keptSeconds`); null: none has.
   * The first id of a session succeeds no other: there it is the beginning.
   */
  readonly presented: number | null
  /** Values by the name of their key, each with the revision that last changed it. */
  readonly keys: Entries
  /** The newest removals: the revision that removed each key. */
  readonly removed: Readonly<Record<string, number>>
  /** A browser that knows an older revision than this gets everything: `removed` does not reach back so far. */
  readonly horizon: number
  /** What browsers were told, at most one memo for each. */
  // A list and not an object: a client names itself, and may do so `__proto__`.
  readonly clients: readonly ClientMemo[]
}

/** Why there is no session any more where one was. */
export type EndReason = 'signed-out' | 'everywhere' | 'revoked' | 'replaced' | 'reuse'

/** What the store holds at a place. */
export type Stored =
  | { readonly kind: 'live'; readonly record: SessionRecord }
  /**
   * The session has another id now, which only this server can derive from the old one. `next` is where its
   * record is: who comes by an owner's list knows no id, and may follow to end it.
   */
  | {
      readonly kind: 'moved'
      readonly nonce: string
      readonly keyId: string
      readonly next: string
      readonly at: number
      /** As in the record that was there. Absent in what older versions wrote: they meant `at`. */
      readonly presented?: number | null
      /**
       * The new id was given to somebody who came with an id before this one. Whoever still comes with this one is somebody
       * else.
       */
      readonly isRetired?: boolean
    }
  | { readonly kind: 'tombstone'; readonly reason: EndReason; readonly at: number }

/** Where a session's record is: the id, and the store key that is derived from it. */
export interface Place {
  /** Undefined when the place was found by an owner's list: the session can be read and ended, but gets no cookie. */
  readonly sid: SessionId | undefined
  readonly key: string
}
/** A place that a cookie can name. */
export interface NamedPlace extends Place {
  readonly sid: SessionId
}

/** A session's record, and the place where it is. */
export interface Placed {
  readonly place: Place
  readonly record: SessionRecord
  /** See `ReadRecord`. Undefined when no read gave one, or when it was used. */
  readonly token?: string | undefined
}

/** A record as this request read it from the store. */
export interface ReadRecord extends Placed {
  /** What the store gave with the read: good for one `replace` by this request. */
  readonly token: string
}

/** Whether a cookie can name the place. */
export function isNamed(place: Place): place is NamedPlace {
  return place.sid !== undefined
}

/** A place that was never used. */
export function createPlace(ring: KeyRing, crypto: ServerCrypto): NamedPlace {
  return placeWith(ring.newest, toBase64Url(crypto.randomBytes(24)))
}

/** Finds the place of a session id; undefined when the secret that it names was removed. */
export type FindPlace = (sid: SessionId) => NamedPlace | undefined

/** Places that are remembered, because deriving one costs a tenth of a read. More than this, and all are forgotten. */
const maxPlaces = 10_000

/** The id itself names the secret that its place derives from: the cookie may have been signed with a newer one since. */
export function createFindPlace(ring: KeyRing): FindPlace {
  const places = new Map<SessionId, NamedPlace>()
  return (sid) => {
    const known = places.get(sid)
    if (known !== undefined) return known
    const keys = ring.find(sid.slice(0, 6))
    if (keys === undefined) return undefined
    const place = { sid, key: storeKey(sid, keys) }
    if (places.size >= maxPlaces) places.clear()
    places.set(sid, place)
    return place
  }
}

/**
 * Where a session moved to from `from`; undefined when the secret that its new id derives from was removed. The nonce in
 * the store is useless without the old id and that secret.
 */
export function placeAfter(
  from: NamedPlace,
  { nonce, keyId }: { readonly nonce: string; readonly keyId: string },
  ring: KeyRing,
): NamedPlace | undefined {
  const keys = ring.find(keyId)
  return keys && placeWith(keys, keys.mac.rotate(`${from.sid}.${nonce}`).slice(0, 32))
}

function placeWith(keys: SecretKeys, random: string): NamedPlace {
  const sid = `${keys.id}${random}` as SessionId // Made here.
  return { sid, key: storeKey(sid, keys) }
}

// A dump of the store holds no id, and the alphabet of keys is fixed, so nothing can be injected through one.
function storeKey(sid: SessionId, keys: SecretKeys): string {
  return `sm1:${keys.mac['store-key'](sid)}`
}

/** The bytes for the place with that store key. */
export function encodeStored(stored: Stored, key: string, ring: KeyRing): Uint8Array {
  return sealItem(stored, { key, ring, purpose: 'record' })
}

/** What bytes from that store key are; undefined for anything that this server did not write there. */
export function decodeStored(
  value: Uint8Array,
  key: string,
  { ring, crypto }: { readonly ring: KeyRing; readonly crypto: ServerCrypto },
): Stored | undefined {
  return openItem(value, { key, ring, crypto, purpose: 'record' }) as Stored | undefined // The MAC says so.
}
