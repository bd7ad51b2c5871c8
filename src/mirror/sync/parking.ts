// Parking: the unsent outbox of an owner who no longer has this browser, encrypted with a key that only the
// server can give back, and only to that owner. What stays on disk tells the next user nothing.
import { isObject } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import {
  type LocalState,
  type OpenMutation,
  type Parcel,
  type SealedBatch,
  belongs,
} from '../steps/local-state.ts'
import { isSealedBatch, parseOpenMutations } from '../storage/stored-form.ts'
import { withoutReplaced } from '../steps/outbox.ts'
import { randomToken } from '../steps/random-token.ts'

/** What a parcel holds. */
export interface Parked {
  readonly sealed: SealedBatch | null
  readonly open: readonly OpenMutation[]
}

/** Whose an anonymous visitor's parcel is. It is not encrypted: whoever is anonymous here may see it. */
const anonymous = 'anonymous'

/**
 * The outbox of `state` as a parcel, or undefined when it is empty or cannot be kept safely (no WebCrypto on
 * plain http): then the changes are given up, and the caller reports that.
 */
export async function toParcel(state: LocalState, at: number): Promise<Parcel | undefined> {
  const open = withoutReplaced(
    state.open.filter((entry) => belongs(entry, state) && entry.owner !== undefined),
  )
  const { sealed } = state.outbox
  if (sealed === null && open.length === 0) return undefined
  const text = JSON.stringify({ sealed, open } satisfies Parked)
  const name = randomToken()
  const ids = [...(sealed?.mutations ?? []), ...open.map((entry) => entry.mutation)].map(
    (mutation) => mutation.id,
  )
  if (state.mirror.owner === null) return { key: name, id: anonymous, at, ids, iv: null, data: text }
  const { id, key } = splitParking(state.mirror.parking)
  if (key === undefined || globalThis.crypto?.subtle === undefined) return undefined
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const data = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv },
    await importKey(key),
    new TextEncoder().encode(text),
  )
  return { key: name, id, at, ids, iv, data }
}

/** The parcel that belongs to who is here now, or undefined. */
export function parcelOf(state: LocalState): Parcel | undefined {
  const { owner, parking } = state.mirror
  const id = owner === null ? anonymous : splitParking(parking).id
  return state.parcels.find((parcel) => parcel.id === id)
}

/** What the parcel holds, or undefined when it cannot be opened any more. */
export async function openParcel(parcel: Parcel, parking: string | null): Promise<Parked | undefined> {
  try {
    return parseParked(await decrypt(parcel, parking))
  } catch {
    // A rotated server secret gives another key: the parcel is unreadable for good, and the caller says so.
    return undefined
  }
}

/** Whether something was parked between two states. Counting would miss one that came as another one went. */
export function isParked(after: LocalState, before: LocalState): boolean {
  const known = new Set(before.parcels.map((parcel) => parcel.key))
  return after.parcels.some((parcel) => !known.has(parcel.key))
}

/** Whether a parcel was kept for longer than `parkedSeconds`. */
export function isOverdue(parcel: Parcel, now: number): boolean {
  return now - parcel.at > limits.parkedSeconds * 1000
}

async function decrypt({ iv, data }: Parcel, parking: string | null): Promise<string> {
  if (typeof data === 'string') return data
  const { key } = splitParking(parking)
  if (key === undefined || iv === null) throw new Error('no key')
  return new TextDecoder().decode(
    await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await importKey(key), data),
  )
}

function parseParked(text: string): Parked | undefined {
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || !Array.isArray(value['open'])) return undefined
  const open = parseOpenMutations(value['open'])
  return { sealed: isSealedBatch(value['sealed']) ? value['sealed'] : null, open }
}

function splitParking(parking: string | null): { id: string; key: string | undefined } {
  const [id = '', key] = (parking ?? '').split('.')
  return { id, key }
}

function importKey(key: string): Promise<CryptoKey> {
  const bytes = Uint8Array.from(atob(key.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
}
