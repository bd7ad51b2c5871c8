// JSON in the store behind a MAC over its key, its purpose and its bytes. What was swapped, truncated, poisoned or
// signed by a removed secret reads as undefined.
import type { Json } from '../../protocol/json.ts'
import type { ServerCrypto } from './crypto.ts'
import type { KeyRing } from './key-ring.ts'

export interface Sealing {
  /** Where in the store: a value that was copied to another key is not what it was. */
  readonly key: string
  readonly ring: KeyRing
  readonly purpose: 'record' | 'owner-record'
}

const encoder = new TextEncoder()
// Strict: bytes that are not exactly what was signed must not become it by being repaired.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** `r1.<key id>.<mac>.` */
const headLength = 3 + 7 + 44

export function seal(value: object, { key, ring, purpose }: Sealing): Uint8Array {
  const text = JSON.stringify(value)
  const { id, mac } = ring.newest
  return encoder.encode(`r1.${id}.${mac[purpose](`${key}\n${text}`)}.${text}`)
}

export function unseal(
  value: Uint8Array,
  { key, ring, purpose, crypto }: Sealing & { readonly crypto: ServerCrypto },
): Json | undefined {
  const text = decode(value)
  if (text === undefined || !/^r1\.[\w-]{6}\.[\w-]{43}\.\{/.test(text)) return undefined
  const keys = ring.find(text.slice(3, 9))
  const json = text.slice(headLength)
  if (keys === undefined || !crypto.equal(text.slice(10, 53), keys.mac[purpose](`${key}\n${json}`))) {
    return undefined
  }
  return JSON.parse(json) as Json // The MAC says that `seal` wrote it.
}

function decode(value: Uint8Array): string | undefined {
  try {
    return decoder.decode(value)
  } catch {
    return undefined // No UTF-8: nothing that `seal` wrote.
  }
}

/** Bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).byteLength
}
