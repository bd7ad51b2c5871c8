// What stands in IndexedDB, in broadcasts and in a tab's journal, and the parsers that are the only way back. Pages and
// workers of other versions read it, too: its form changes only together with `format`.
import { type Json, isObject } from '../../protocol/json.ts'
import { isEntry, isOutcome } from '../../protocol/messages.ts'
import type { Base, Mutation } from '../../protocol/mutation.ts'
import { format } from '../../protocol/names.ts'
import { type MirrorState, isEpoch } from '../../protocol/state.ts'
import { isWholeNumber } from '../../protocol/whole-number.ts'
import type {
  Ending,
  MirrorDocument,
  OpenMutation,
  OutboxDocument,
  Parcel,
  SealedBatch,
} from '../steps/local-state.ts'
import { leavingText, parseLeaving } from '../steps/sign-out.ts'
import {
  type Check,
  isBoolean,
  isNumber,
  isString,
  listOf,
  nullOr,
  oneOfWords,
  optional,
  recordOf,
  shape,
} from './shape.ts'

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
  if (!isStoredMirror(value)) return undefined
  const { mirror, leaving, ...rest } = value
  return { ...rest, ...mirror, leaving: parseLeaving(leaving) }
}

/** A stored outbox, or undefined when it is not one of this format. */
export function parseOutboxDocument(value: unknown): OutboxDocument | undefined {
  return isOutbox(value) ? value : undefined
}

/** The open mutations of a list; what is none is left out. */
export function parseOpenMutations(values: readonly unknown[]): readonly OpenMutation[] {
  return values.filter(isOpenMutation)
}

/** The parcels of a list; what is none is left out. */
export function parseParcels(values: readonly unknown[]): readonly Parcel[] {
  return values.filter(isParcel)
}

/** Whether newer code than this wrote the document: then this code must not write over it. */
export function isNewerFormat(value: unknown): boolean {
  return isObject(value) && isNumber(value['format']) && value['format'] > format
}

const isFormat = (value: unknown): value is number => value === format
/** Values were checked when they were written, and structured clone and JSON bring back nothing else. */
const isJson = (value: unknown): value is Json => value !== undefined

const isBase = shape<Base>({ epoch: nullOr(isEpoch), revision: isWholeNumber, value: optional(isJson) })

function isMutation(value: unknown): value is Mutation {
  if (!isObject(value) || !isString(value['id']) || !isString(value['key'])) return false
  if (value['kind'] === 'increment') return isNumber(value['by'])
  const isWrite = value['kind'] === 'remove' || (value['kind'] === 'set' && isJson(value['value']))
  return isWrite && optional(isBase)(value['base'])
}

export const isSealedBatch: Check<SealedBatch> = shape<SealedBatch>({
  number: isWholeNumber,
  text: isString,
  mutations: listOf(isMutation),
})

const isOpenMutation = shape<OpenMutation>({
  stamp: isString,
  mutation: isMutation,
  owner: optional(nullOr(isString)),
  saw: listOf(isString),
})

const isParcel = shape<Parcel>({
  key: isString,
  id: isString,
  at: isNumber,
  ids: optional(listOf(isString)),
  iv: nullOr((value): value is Uint8Array<ArrayBuffer> => value instanceof Uint8Array),
  data: (value) => isString(value) || value instanceof ArrayBuffer,
})

const isOutbox = shape<OutboxDocument>({
  format: isFormat,
  version: isNumber,
  client: isString,
  number: isWholeNumber,
  sealed: nullOr(isSealedBatch),
  settled: recordOf(isOutcome),
})

function isEnding(value: unknown): value is Ending {
  return isSignedOut(value) || isLost(value)
}
const isSignedOut = shape<Extract<Ending, { state: 'signed-out' }>>({
  state: oneOfWords('signed-out'),
  reason: oneOfWords('signed-out', 'expired', 'ended', 'reuse'),
})
const isLost = shape<Extract<Ending, { state: 'lost' }>>({
  state: oneOfWords('lost'),
  keys: listOf(isString),
})

const isStoredMirror = shape<StoredMirror>({
  format: isFormat,
  version: isNumber,
  mirror: shape<MirrorState>({
    epoch: nullOr(isEpoch),
    owner: nullOr(isString),
    revision: isWholeNumber,
    keys: recordOf(isEntry),
  }),
  ending: nullOr(isEnding),
  life: isWholeNumber,
  leaving: nullOr(isString),
  everywhere: optional(oneOfWords('wanted', 'done', 'refused')),
  notedAt: isNumber,
  refreshedAt: isNumber,
  freshUntil: isNumber,
  expiresAt: isNumber,
  parking: nullOr(isString),
  persistent: optional(isBoolean),
})
