// A value with its version, for copies on several nodes: whoever reads two that differ knows the newer one. An ended
// one is newer than all.

export interface Versioned {
  readonly version: number
  readonly value: Uint8Array
}

/** Before the value: a mark that no record begins with, and the version in six bytes. */
const mark = 0x01
export const headBytes = 7
/** What is ended stays so. */
export const endVersion: number = 2 ** 48 - 1

export function encodeVersioned(value: Uint8Array, version: number): Uint8Array {
  const bytes = new Uint8Array(headBytes + value.byteLength)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, mark)
  view.setUint16(1, Math.floor(version / 2 ** 32))
  view.setUint32(3, version % 2 ** 32)
  bytes.set(value, headBytes)
  return bytes
}

/** What was stored before there were copies counts as the oldest version. */
export function decodeVersioned(bytes: Uint8Array): Versioned {
  if (bytes[0] !== mark || bytes.byteLength < headBytes) return { version: 0, value: bytes }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return { version: view.getUint16(1) * 2 ** 32 + view.getUint32(3), value: bytes.subarray(headBytes) }
}
