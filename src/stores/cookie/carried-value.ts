// What the cookie carries of a session: the end of its lifetime in five bytes, then its value.

export interface CarriedValue {
  readonly value: Uint8Array
  /** Milliseconds since 1970. Only whole seconds travel: what is decoded may be up to a second less. */
  readonly expires: number
}

const headBytes = 5

/** @param expires milliseconds since 1970 */
export function encodeCarried({ value, expires }: CarriedValue): Uint8Array {
  const bytes = new Uint8Array(headBytes + value.byteLength)
  const seconds = Math.floor(expires / 1000)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, Math.floor(seconds / 2 ** 32))
  view.setUint32(1, seconds % 2 ** 32)
  bytes.set(value, headBytes)
  return bytes
}

/** Bytes that are too short, which `encodeCarried` never makes, count as expired. */
export function decodeCarried(bytes: Uint8Array): CarriedValue {
  if (bytes.byteLength < headBytes) return { value: bytes, expires: 0 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const seconds = view.getUint8(0) * 2 ** 32 + view.getUint32(1)
  return { value: bytes.subarray(headBytes), expires: seconds * 1000 }
}
