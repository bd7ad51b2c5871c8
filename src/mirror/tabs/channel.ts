// What tabs and worker tell each other by BroadcastChannel: changed documents with their values, and hints
// that the server has something newer. Every message is checked before anything believes it.
import { isObject } from '../../protocol/json.ts'
import { format } from '../../protocol/names.ts'
import { type Epoch, isEpoch } from '../../protocol/state.ts'
import {
  parseMirrorDocument,
  parseOpenMutations,
  parseOutboxDocument,
  parseParcels,
  toStoredMirror,
} from '../storage/stored-form.ts'
import type { MirrorDocument, OpenMutation, OutboxDocument, Parcel } from '../steps/local-state.ts'

/** What an answer of the server's said about its session: `epoch` null when it said that there is none. */
export interface Hint {
  readonly epoch: Epoch | null
  readonly revision: number
}

/** Every part is optional; `gone` are stamps that were sealed, replaced or given up. */
export interface Notice {
  readonly mirror?: MirrorDocument | undefined
  readonly outbox?: OutboxDocument | undefined
  readonly added?: readonly OpenMutation[] | undefined
  readonly gone?: readonly string[] | undefined
  /** Encrypted, as they are kept: a tab whose write was parked has to know that. */
  readonly parcels?: readonly Parcel[] | undefined
  readonly hint?: Hint | undefined
  /** The session that a tab in memory mode has signed out of. */
  readonly left?: Epoch | undefined
}

export interface Channel {
  post(notice: Notice): void
  close(): void
}

/** Joins the channel `name`; where there is no BroadcastChannel a tab simply hears nothing. */
export function openChannel(name: string, listener: (notice: Notice) => void): Channel {
  if (typeof BroadcastChannel === 'undefined') return { post: () => undefined, close: () => undefined }
  const channel = new BroadcastChannel(name)
  channel.addEventListener('message', (event) => {
    const notice = parseNotice(event.data)
    if (notice !== undefined) listener(notice)
  })
  // Node's BroadcastChannel (tests, server rendering) would keep the process alive; browsers have no unref.
  if ('unref' in channel && typeof channel.unref === 'function') channel.unref()
  let isOpen = true
  return {
    post({ mirror, ...notice }) {
      // Something that was under way when the session was closed may still have news; nobody is told then.
      if (isOpen) channel.postMessage({ ...notice, mirror: mirror && toStoredMirror(mirror), format })
    },
    close() {
      isOpen = false
      channel.close()
    },
  }
}

function parseNotice(data: unknown): Notice | undefined {
  if (!isObject(data) || data['format'] !== format) return undefined
  const { added, gone, parcels, hint, left } = data
  return {
    mirror: parseMirrorDocument(data['mirror']),
    outbox: parseOutboxDocument(data['outbox']),
    added: Array.isArray(added) ? parseOpenMutations(added) : undefined,
    gone: Array.isArray(gone) ? gone.filter((stamp) => typeof stamp === 'string') : undefined,
    parcels: Array.isArray(parcels) ? parseParcels(parcels) : undefined,
    hint: parseHint(hint),
    left: isEpoch(left) ? left : undefined,
  }
}

function parseHint(value: unknown): Hint | undefined {
  if (!isObject(value) || typeof value['revision'] !== 'number') return undefined
  const { epoch, revision } = value
  return epoch === null || isEpoch(epoch) ? { epoch, revision } : undefined
}
