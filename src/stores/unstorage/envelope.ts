// What is stored under a key: text, because some drivers keep no bytes and some keep the very array they were given.
// Lifetime and token are in it, because drivers know none or their own kind of them.

export interface Envelope {
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly value: Uint8Array
}

const pattern = /^session-mirror 1 (\d{1,16}) ([0-9a-f-]{36}) ([A-Za-z0-9+/]*={0,2})\.$/

/** Ends in a full stop: what was cut, by a process that died while it wrote, has none. */
export function encodeEnvelope({ token, expires, value }: Envelope): string {
  return `session-mirror 1 ${expires} ${token} ${base64Of(value)}.`
}

/** `undefined` for what is not an envelope, or only a part of one. */
export function decodeEnvelope(text: string): Envelope | undefined {
  const [whole, expires = '', token = '', base64 = ''] = pattern.exec(text) ?? []
  if (whole === undefined || base64.length % 4 !== 0) return undefined
  return { token, expires: Number(expires), value: bytesOf(base64) }
}

/**
 * What a driver gave, as text. `null` and nothing: `undefined`.
 * @throws Error for what no driver should give. unstorage's `fs` returns its errors instead of throwing them.
 */
export function textOf(raw: unknown): string | undefined {
  if (raw === null || raw === undefined) return undefined
  if (typeof raw === 'string') return raw
  if (raw instanceof Uint8Array || raw instanceof ArrayBuffer) return new TextDecoder().decode(raw)
  throw raw instanceof Error ? raw : new Error('The driver gave something that is neither text nor bytes.')
}

/** In pieces: a function takes so many arguments and no more. */
const pieceLength = 8192

function base64Of(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += pieceLength) {
    binary += String.fromCharCode(...bytes.subarray(at, at + pieceLength))
  }
  return btoa(binary)
}

function bytesOf(base64: string): Uint8Array {
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}
