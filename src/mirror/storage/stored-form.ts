// What stands in IndexedDB, in broadcasts and in a tab's journal, and the parsers that are the only way back. Pages and
// workers of other versions read it, too: its form changes only together with `format`.
import { isObject } from '../../protocol/json.ts'
import { format } from '../../protocol/names.ts'
import type { MirrorState } from '../../protocol/state.ts'
import type { MirrorDocument, OpenMutation, OutboxDocument, Parcel } from '../steps/local-state.ts'
import { leavingText, parseLeaving } from '../steps/sign-out.ts'

/** A mirror document as it is stored: the mirrored state stands in a member of its own, and `leaving` is one string. */
export interface StoredMirror extends Omit<MirrorDocument, keyof MirrorState | 'leaving'> {
  readonly mirror: MirrorState
  readonly leaving: string | null
}

/** The document as it is stored. */
export function toStoredMirror(document: MirrorDocument): StoredMirror {
  const { epoch, owner, revision, keys, leaving, ...rest } = document
  return { ...rest, mirror: { epoch, owner, revision, keys }, leaving: leavingText(leaving) }
}

/** A stored document, or undefined when it is not one of this format. */
export function parseMirrorDocument(value: unknown): MirrorDocument | undefined {
  if (!isDocument(value) || !isObject(value['mirror']) || !isObject(value['mirror']['keys'])) return undefined
  const { mirror, leaving, ...rest } = value as unknown as StoredMirror // Written by `toStoredMirror` only.
  return { ...rest, ...mirror, leaving: parseLeaving(leaving) }
}

export function parseOutboxDocument(value: unknown): OutboxDocument | undefined {
  if (!isDocument(value) || typeof value['client'] !== 'string' || !isObject(value['settled']))
    return undefined
  return value as unknown as OutboxDocument // As above.
}

export function parseOpenMutation(value: unknown): OpenMutation | undefined {
  if (!isObject(value) || typeof value['stamp'] !== 'string' || !isObject(value['mutation'])) return undefined
  if (!Array.isArray(value['saw'])) return undefined
  return typeof value['mutation']['id'] === 'string' ? (value as unknown as OpenMutation) : undefined // As above.
}

export function parseParcel(value: unknown): Parcel | undefined {
  if (!isObject(value) || typeof value['key'] !== 'string' || typeof value['at'] !== 'number')
    return undefined
  return value as unknown as Parcel // As above.
}

/** Whether newer code than this wrote the document: then this code must not write over it. */
export function isNewerFormat(value: unknown): boolean {
  return isObject(value) && typeof value['format'] === 'number' && value['format'] > format
}

function isDocument(value: unknown): value is Record<string, unknown> {
  return isObject(value) && value['format'] === format && typeof value['version'] === 'number'
}
