// The cryptography that the server needs, as an argument: Node gives it in `node/node-crypto.ts`, a browser
// that runs the server core for tests gives its own. Synchronous, because every request needs it at once.

/** HMAC-SHA-256 of UTF-8 text under one key: 43 characters of base64url without padding. */
export type Mac = (text: string) => string

/** The cryptography that the server needs, all of it synchronous. Every method may be called at any time and keeps nothing. */
export interface ServerCrypto {
  /** From the system's cryptographic generator. */
  randomBytes(length: number): Uint8Array
  /** Binds a key once: with Node, making a key object costs five times what one MAC costs. */
  mac(key: Uint8Array): Mac
  /** SHA-256 of UTF-8 text: 43 characters of base64url without padding. */
  hash(text: string): string
  /** Whether two texts are the same, in a time that depends on their length alone. */
  equal(a: string, b: string): boolean
  /** Only where sessions are kept in the cookie. */
  readonly aead?: Aead
}

/** AES-256-GCM (NIST SP 800-38D) under a key of 32 bytes: a random nonce, the ciphertext, and a tag of 16 bytes. */
export interface Aead {
  /** `bound` is not in the result, and must be the same when it is opened. */
  seal(key: Uint8Array, plain: Uint8Array, bound: string): Uint8Array
  /** Undefined for anything that was not sealed like this. */
  open(key: Uint8Array, sealed: Uint8Array, bound: string): Uint8Array | undefined
}
