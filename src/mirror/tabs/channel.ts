// What tabs and worker tell each other by BroadcastChannel: changed documents with their values, and hints
// that the server has something newer. Every message is checked, because any page of the origin can send one.
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

/** What an answer of the server said about its session. `epoch` is null when it said that there is none. */
export interface Hint {
  readonly epoch: Epoch | null
  readonly revision: number
}

/** What has changed in one tab. Every part is optional. */
export interface Notice {
  readonly mirror?: MirrorDocument | undefined
  readonly outbox?: OutboxDocument | undefined
  readonly added?: readonly OpenMutation[] | undefined
  /** Stamps of open mutations that were sealed, replaced or given up. */
  readonly gone?: readonly string[] | undefined
  /** Parcels as they are kept, encrypted. A tab has to know when its own write was parked. */
  readonly parcels?: readonly Parcel[] | undefined
  readonly hint?: Hint | undefined
  /** The session that a tab in memory mode has signed out of. */
  readonly left?: Epoch | undefined
}

export interface Channel {
  /** Tells all other tabs and the worker. Does nothing after `close`. */
  post(notice: Notice): void
  close(): void
}

/** Joins the channel `name`; where there is no BroadcastChannel a tab simply hears nothing. */
export function openChannel(name: string, listener: (notice: Notice) => void): Channel {
  if (typeof BroadcastChannel !== 'function') return { post: () => undefined, close: () => undefined }
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
      // Work that was under way when the session was closed may still end with news.
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
