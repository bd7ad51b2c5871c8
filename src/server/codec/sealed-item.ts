// What the store holds, as bytes that only this server can have written: JSON behind a MAC over its store key, its purpose
// and its text. What was swapped, truncated, poisoned or signed by a removed secret reads as undefined.
import type { Json } from '../../protocol/json.ts'
import type { ServerCrypto } from './crypto.ts'
import type { KeyRing } from './key-ring.ts'

/** Where a sealed item stands, and with which keys it is sealed. */
export interface ItemSeal {
  /** Its store key: a value that was copied to another key is not what it was. */
  readonly key: string
  readonly ring: KeyRing
  /** What the item is: a value of one purpose is never read as one of another. */
  readonly purpose: 'record' | 'owner-record'
}

const encoder = new TextEncoder()
// Strict: bytes that are not exactly what was signed must not become it by being repaired.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Characters of `r1.<key id>.<mac>.` before the JSON. */
const headCharacters = 3 + 7 + 44

/** The bytes to store for `value`, signed with the newest secret. */
export function sealItem(value: object, { key, ring, purpose }: ItemSeal): Uint8Array {
  const text = JSON.stringify(value)
  const { id, mac } = ring.newest
  return encoder.encode(`r1.${id}.${mac[purpose](`${key}\n${text}`)}.${text}`)
}

/** What `sealItem` was given for this place, or undefined for anything else. */
export function openItem(
  bytes: Uint8Array,
  { key, ring, purpose, crypto }: ItemSeal & { readonly crypto: ServerCrypto },
): Json | undefined {
  const text = decode(bytes)
  if (text === undefined || !/^r1\.[\w-]{6}\.[\w-]{43}\.\{/.test(text)) return undefined
  const keys = ring.find(text.slice(3, 9))
  const json = text.slice(headCharacters)
  if (keys === undefined || !crypto.equal(text.slice(10, 53), keys.mac[purpose](`${key}\n${json}`))) {
    return undefined
  }
  return JSON.parse(json) as Json // The MAC says that `sealItem` wrote it.
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined // No UTF-8: nothing that `sealItem` wrote.
  }
}

/** Bytes of `text` in UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).byteLength
}
