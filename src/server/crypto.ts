// The cryptography that the server needs, as an argument: Node gives it through `crypto-node.ts`, a browser
// that runs the server core for tests gives its own. Synchronous, because every request needs it at once.

/** HMAC-SHA-256 of UTF-8 text under one key: 43 characters of base64url without padding. */
export type Mac = (text: string) => string

export interface ServerCrypto {
  /** From the system's cryptographic generator. */
  randomBytes(length: number): Uint8Array
  /** Binds a key once: with Node, making a key object costs five times what one MAC costs. */
  mac(key: Uint8Array): Mac
  /** SHA-256 of UTF-8 text: 43 characters of base64url without padding. */
  hash(text: string): string
  /** Whether two texts are the same, in a time that depends on their length alone. */
  equal(a: string, b: string): boolean
}

/** Base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The bytes of text that this server encoded itself; never used to compare what comes from outside. */
export function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
    character.charCodeAt(0),
  )
}
