// WebCrypto's AES-GCM for the simulation: enough that nothing is readable without its key, and that a wrong key is
// noticed. The real one answers from a thread, in an order that no seed decides.
import type { Chance } from './chance.ts'
import { randomOf } from '../support/random.ts'
import type { Scheduler } from './scheduler.ts'

interface Algorithm {
  readonly iv: Uint8Array
}
interface Key {
  readonly number: number
}

export interface Subtle {
  importKey(format: string, bytes: Uint8Array): Promise<Key>
  encrypt(algorithm: Algorithm, key: Key, data: Uint8Array): Promise<ArrayBuffer>
  decrypt(algorithm: Algorithm, key: Key, data: ArrayBuffer): Promise<ArrayBuffer>
}

/** What was encrypted, for the oracle: by what it became. */
export type Plaintexts = Map<number, string>

export function plaintextOf(plaintexts: Plaintexts, data: ArrayBuffer | string): string {
  return typeof data === 'string' ? data : (plaintexts.get(sumOf(new Uint8Array(data))) ?? '')
}

interface Tools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly plaintexts: Plaintexts
}

export function createSubtle({ scheduler, chance, plaintexts }: Tools): Subtle {
  const later = <T>(compute: () => T): Promise<T> => {
    const context = scheduler.current
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(compute())
        } catch (error) {
          reject(error)
        }
      }
      scheduler.after(chance.next() * 3, context, { label: 'crypto', run })
    })
  }
  return {
    importKey: (_format, bytes) => later(() => ({ number: sumOf(bytes) })),
    encrypt: ({ iv }, key, data) =>
      later(() => {
        const tag = sumOf(data) ^ key.number
        const whole = new Uint8Array(data.length + 4)
        whole.set(data)
        new DataView(whole.buffer).setInt32(data.length, tag)
        const mixture = mixed(whole, key.number ^ sumOf(iv))
        plaintexts.set(sumOf(new Uint8Array(mixture)), new TextDecoder().decode(data))
        return mixture
      }),
    decrypt: ({ iv }, key, data) =>
      later(() => open(mixed(new Uint8Array(data), key.number ^ sumOf(iv)), key)),
  }
}

function open(buffer: ArrayBuffer, key: Key): ArrayBuffer {
  const data = new Uint8Array(buffer, 0, buffer.byteLength - 4)
  const tag = new DataView(buffer).getInt32(data.length)
  if (tag !== (sumOf(data) ^ key.number)) throw new DOMException('Not this key.', 'OperationError')
  return buffer.slice(0, data.length)
}

function mixed(data: Uint8Array, seed: number): ArrayBuffer {
  const next = randomOf(seed)
  return data.map((byte) => byte ^ Math.floor(next() * 256)).buffer as ArrayBuffer // Just made; shared with nobody.
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0x811c9dc5
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193)
  return sum
}
