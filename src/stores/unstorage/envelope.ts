// What is stored under a key: text, because some drivers keep no bytes and some keep the very array that they were
// given. Lifetime and token are in it, because drivers know none, or their own kind of them.

export interface Envelope {
  /** A new random UUID with every write. */
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly value: Uint8Array
}

const pattern = /^session-mirror 1 (\d{1,16}) ([0-9a-f-]{36}) ([A-Za-z0-9+/]*={0,2})\.$/

/** The envelope as text. It ends in a full stop, which is missing when a process died while it wrote. */
export function encodeEnvelope({ token, expires, value }: Envelope): string {
  return `session-mirror 1 ${expires} ${token} ${toBase64(value)}.`
}

/** The envelope in a text; undefined for what is not one, or only a part of one. */
export function decodeEnvelope(text: string): Envelope | undefined {
  const [whole, expires = '', token = '', base64 = ''] = pattern.exec(text) ?? []
  if (whole === undefined || base64.length % 4 !== 0) return undefined
  return { token, expires: Number(expires), value: fromBase64(base64) }
}

/**
 * What a driver gave, as text; undefined for null and undefined.
 * @throws Error for what no driver should give. unstorage's `fs` returns its errors instead of throwing them.
 */
export function textOf(raw: unknown): string | undefined {
  if (raw === null || raw === undefined) return undefined
  if (typeof raw === 'string') return raw
  if (raw instanceof Uint8Array || raw instanceof ArrayBuffer) return new TextDecoder().decode(raw)
  throw raw instanceof Error
    ? raw
    : new Error(`The driver gave a value of type ${typeof raw}, which is neither text nor bytes.`)
}

/** Bytes that are turned into characters at once: a function takes only so many arguments. */
const pieceBytes = 8192

/** Base64 and not base64url: that is the format of what is stored already, and values are far longer than a key. */
function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    binary += String.fromCharCode(...bytes.subarray(at, at + pieceBytes))
  }
  return btoa(binary)
}

function fromBase64(base64: string): Uint8Array {
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}
