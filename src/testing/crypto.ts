// The server's cryptography where there is no node:crypto: in a browser that runs the real server core inside
// msw. For tests only: it makes no promise about timing.
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { toBase64Url } from '../protocol/base64url.ts'
import type { ServerCrypto } from '../server/codec/crypto.ts'

const encoder = new TextEncoder()

export const portableCrypto: ServerCrypto = {
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  mac: (key) => (text) => toBase64Url(hmac(sha256, key, encoder.encode(text))),
  hash: (text) => toBase64Url(sha256(encoder.encode(text))),
  equal: (a, b) => a === b,
}
