// What a browser may see of a record, and what of that is new to it. Hidden keys, and keys that the schema no longer names,
// never leave the server.
import type { MirrorMessage } from '../../protocol/messages.ts'
import type { Outcome } from '../../protocol/mutation.ts'
import { type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import { type Epoch, type Patch, emptyMirror, isEpoch } from '../../protocol/state.ts'
import type { KeyRing } from '../codec/key-ring.ts'
import type { SessionRecord } from '../codec/record.ts'

/** What a browser says it has. */
export interface Known {
  readonly epoch: Epoch | null
  /** The revision of its copy. */
  readonly since: number
}

/** What a message says beside the patch. */
export interface MessageTimes {
  /** Seconds until the cookie must be refreshed. */
  readonly freshIn: number
  /** Seconds until the session ends if nothing is done. */
  readonly expiresIn: number
  /** False for a session that ends with the browser. */
  readonly persistent: boolean
  /** Those of the batch in the request, in its order. */
  readonly outcomes?: readonly Outcome[] | undefined
}

/** The changes since what is `known`; the whole when that is of another session, too old, or from the future. */
export function patchOf(record: SessionRecord, known: Known | undefined, schema: SessionSchema): Patch {
  const { epoch, revision, owner } = record
  const isKnown = known?.epoch === epoch && known.since >= record.horizon && known.since <= revision
  const since = isKnown ? known.since : null
  const isNews = (name: string, changed: number): boolean =>
    changed > (since ?? -1) && (definitionOf(schema, name)?.access ?? 'hidden') !== 'hidden'
  const keys = Object.entries(record.keys).filter(([name, [changed]]) => isNews(name, changed))
  const removed =
    since === null ? [] : Object.entries(record.removed).filter(([name, changed]) => isNews(name, changed))
  return {
    epoch,
    owner,
    revision,
    since,
    keys: Object.fromEntries(keys),
    removed: Object.fromEntries(removed),
  }
}

/** The message that answers a session route. */
export function messageOf(patch: Patch, times: MessageTimes, ring: KeyRing): MirrorMessage {
  const { freshIn, expiresIn, persistent, outcomes } = times
  const parking = patch.owner === null ? null : parkingOf(patch.owner, ring)
  return {
    ...patch,
    freshIn,
    expiresIn,
    parking,
    ...(persistent ? {} : { persistent }),
    ...(outcomes === undefined ? {} : { outcomes }),
  }
}

/** What the query `?since=R&epoch=E` says; undefined for any other, which asks for the whole. */
export function parseKnown(url: string): Known | undefined {
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  const [since, epoch] = [query.get('since') ?? '', query.get('epoch')]
  return isEpoch(epoch) && /^\d{1,15}$/.test(since) ? { since: Number(since), epoch } : undefined
}

/** The message that answers when there is no session. */
export function emptyMessage(outcomes?: readonly Outcome[]): MirrorMessage {
  const patch = { ...emptyMirror, since: null, removed: {} }
  return {
    ...patch,
    freshIn: 0,
    expiresIn: 0,
    parking: null,
    ...(outcomes === undefined ? {} : { outcomes }),
  }
}

/** The key with which a browser seals what an owner leaves behind. Only that owner is ever given it again. */
function parkingOf(owner: string, { newest: { mac } }: KeyRing): string {
  return `${mac.parking(owner).slice(0, 12)}.${mac['parking-key'](owner)}`
}
