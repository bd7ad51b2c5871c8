// A value with its version, for sessions that are in two places: of two copies that differ, the one with the higher
// version is the newer. What has ended has the highest version of all.

export interface Versioned {
  /** A whole number from 0 that grows with every change. */
  readonly version: number
  readonly value: Uint8Array
}

/** Before the value: a mark that no record begins with, then the version in six bytes. */
const mark = 0x01
/** Bytes that a version adds to a value. */
export const versionBytes = 7
/** The version of an ended session: no change reaches it, so it stays ended. */
export const endVersion: number = 2 ** 48 - 1

/** Puts a version before a value. */
export function encodeVersioned(value: Uint8Array, version: number): Uint8Array {
  const bytes = new Uint8Array(versionBytes + value.byteLength)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, mark)
  view.setUint16(1, Math.floor(version / 2 ** 32))
  view.setUint32(3, version % 2 ** 32)
  bytes.set(value, versionBytes)
  return bytes
}

/** The value and its version. Bytes without one, from before there were copies, count as version 0. */
export function decodeVersioned(bytes: Uint8Array): Versioned {
  if (bytes[0] !== mark || bytes.byteLength < versionBytes) return { version: 0, value: bytes }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return { version: view.getUint16(1) * 2 ** 32 + view.getUint32(3), value: bytes.subarray(versionBytes) }
}
