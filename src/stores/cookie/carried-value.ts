// What the cookie carries of a session: when its time is over, in five bytes, and its value.

interface Carried {
  readonly value: Uint8Array
  /** Milliseconds since 1970; whole seconds travel. */
  readonly expires: number
}

const headBytes = 5

export function encodeCarried(value: Uint8Array, expires: number): Uint8Array {
  const bytes = new Uint8Array(headBytes + value.byteLength)
  const seconds = Math.floor(expires / 1000)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, Math.floor(seconds / 2 ** 32))
  view.setUint32(1, seconds % 2 ** 32)
  bytes.set(value, headBytes)
  return bytes
}

/** Bytes that are too short end at once: nothing that `encodeCarried` made. */
export function decodeCarried(bytes: Uint8Array): Carried {
  if (bytes.byteLength < headBytes) return { value: bytes, expires: 0 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const seconds = view.getUint8(0) * 2 ** 32 + view.getUint32(1)
  return { value: bytes.subarray(headBytes), expires: seconds * 1000 }
}
