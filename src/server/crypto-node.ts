// The server's cryptography by Node's own module. Imported by the doors and by nothing of the core.
import { createHash, createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ServerCrypto } from './crypto.ts'

export const nodeCrypto: ServerCrypto = {
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  mac(bytes) {
    // Must be a KeyObject: with a Buffer, Node 24 needs 15 µs for a MAC instead of 2.4.
    const key = createSecretKey(bytes)
    return (text) => createHmac('sha256', key).update(text).digest('base64url')
  },
  hash: (text) => createHash('sha256').update(text).digest('base64url'),
  equal(a, b) {
    // The *encoded* texts: different base64url texts can decode to the same bytes.
    const [first, second] = [Buffer.from(a), Buffer.from(b)]
    return first.length === second.length && timingSafeEqual(first, second)
  },
}
