// Applying a browser's batch exactly once: the memo of what the browser was told is part of the record, so data and memo
// are committed together or not at all. Pure.
import { SessionError } from '../../protocol/errors.ts'
import type { Json } from '../../protocol/json.ts'
import * as limits from '../../protocol/limits.ts'
import type { Batch } from '../../protocol/messages.ts'
import { type Decision, type Mutation, type Outcome, decideMutation } from '../../protocol/mutation.ts'
import { type SessionSchema, definitionOf } from '../../protocol/schema.ts'
import { type Entry, entryOf } from '../../protocol/state.ts'
import { withKeys } from './change.ts'
import type { Numbering } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import type { ClientMemo, SessionRecord } from '../codec/record.ts'
import { byteLength } from '../codec/sealed-item.ts'

/** What applying a batch needs to know beside the batch. */
export interface BatchContext {
  readonly schema: SessionSchema
  /** The hash of the text that the batch was parsed from: it tells a repeated batch from another one. */
  readonly hash: string
  /** The time, in seconds since 1970. */
  readonly now: number
  /** How the change is numbered. @default one more than before */
  readonly numbering?: Numbering
  /** How many browsers are remembered. @default limits.rememberedBrowsers */
  readonly clients?: number
}

export interface AppliedBatch {
  /** The record after the batch; the given one when the batch was applied before. */
  readonly record: SessionRecord
  /** One for each mutation, in their order. */
  readonly outcomes: readonly Outcome[]
}

/**
 * Applies a batch to a record, or repeats what its browser was told when it was applied before.
 * @throws SessionError `batch-fork` when another batch with this number, or a later one, was applied already;
 * `clients-full` when too many browsers are busy with this session
 */
export function applyBatch(record: SessionRecord, batch: Batch, context: BatchContext): AppliedBatch {
  const memo = record.clients.find(({ client }) => client === batch.client)
  if (memo !== undefined && memo.number >= batch.number) {
    if (memo.number !== batch.number || memo.hash !== context.hash) throw refusal('batch-fork')
    return { record, outcomes: withValues(memo.outcomes, batch, visibleOf(record, context.schema)) }
  }
  const { changes, codes } = decideAll(record, batch, context.schema)
  const changed = withKeys(record, changes, context.numbering)
  const outcomes = batch.mutations.map((mutation, index) => toOutcome(codes[index], changed, mutation))
  const { client, number } = batch
  const kept = makeRoom(record.clients, client, context)
  const clients = [...kept, { client, number, hash: context.hash, outcomes, at: context.now }]
  return {
    record: { ...changed, clients },
    outcomes: withValues(outcomes, batch, visibleOf(changed, context.schema)),
  }
}

/**
 * Refuses a batch with two mutations of one key that both depend on a value and may have to be merged. The SDK sends the second one with its next
 * batch. Without this rule a batch of 31 kB made the server merge a value of 240 kB two hundred times: 6.7 seconds. With it
 * what is merged has the size of the session and the batch together, at most.
 * @returns whether the batch may have to be merged at all
 * @throws SessionError `malformed`
 */
export function checkWork({ mutations }: Batch, schema: SessionSchema): { readonly isMerging: boolean } {
  const based = new Set<string>()
  for (const mutation of mutations) {
    if (mutation.kind === 'increment' || mutation.base === undefined) continue
    if (typeof definitionOf(schema, mutation.key)?.policy !== 'object') continue
    if (based.has(mutation.key))
      throw new SessionError(
        'malformed',
        `Two mutations of "${mutation.key}" in one batch depend on a value. Send the second one with the next batch.`,
      )
    based.add(mutation.key)
  }
  return { isMerging: based.size > 0 }
}

type Code =
  | Exclude<Decision, { code: 'set' | 'remove' }>
  | { readonly code: 'ok' }
  | { readonly code: 'too-large' }

/** Decides each mutation on the value that those before it left, but on the revision that the browser knew. */
function decideAll(
  record: SessionRecord,
  batch: Batch,
  schema: SessionSchema,
): { readonly changes: Map<string, Json | undefined>; readonly codes: readonly Code[] } {
  const changes = new Map<string, Json | undefined>()
  let room = limits.recordBytes - byteLength(JSON.stringify(record.keys))
  let words = limits.validatorMessagesBytes
  const keep = (message: string): string => {
    const short = message.slice(0, limits.validatorMessageCharacters)
    words -= byteLength(JSON.stringify(short))
    return words < 0 ? '' : short
  }
  const codes = batch.mutations.map((mutation): Code => {
    const { key } = mutation
    const entry = entryOf(record.keys, key)
    const value = changes.has(key) ? changes.get(key) : entry?.[1]
    // A key that is not there has revision 0, however often it was there before: its readers saw the same nothing.
    const current = { epoch: record.epoch, revision: entry?.[0] ?? 0, value }
    const decision = decideMutation(definitionOf(schema, key), current, mutation)
    if (decision.code === 'invalid') return { code: 'invalid', message: keep(decision.message) }
    if (decision.code !== 'set' && decision.code !== 'remove') return decision
    const next = decision.code === 'set' ? decision.value : undefined
    const grown = sizeOf(key, next) - sizeOf(key, value)
    if (grown > 0 && grown > room) return { code: 'too-large' }
    room -= grown
    changes.set(key, next)
    return { code: 'ok' }
  })
  return { changes, codes }
}

/** Bytes that an entry takes at most: with the longest revision there is. */
function sizeOf(key: string, value: Json | undefined): number {
  return value === undefined ? 0 : byteLength(JSON.stringify({ [key]: [Number.MAX_SAFE_INTEGER, value] }))
}

function toOutcome(code: Code | undefined, record: SessionRecord, { key }: Mutation): Outcome {
  const revision = entryOf(record.keys, key)?.[0] ?? record.revision
  if (code?.code === 'ok') return { code: 'ok', revision }
  if (code?.code === 'conflict') return { code: 'conflict', revision: entryOf(record.keys, key)?.[0] ?? 0 }
  return code ?? { code: 'denied' }
}

/** Looks a key up that a browser may see: a deploy may have hidden one since its batch was decided. */
function visibleOf({ keys }: SessionRecord, schema: SessionSchema): (key: string) => Entry | undefined {
  return (key) => {
    const access = definitionOf(schema, key)?.access ?? 'hidden'
    return access === 'hidden' ? undefined : entryOf(keys, key)
  }
}

/** The outcomes with the values that conflicts lost against. These are read from the record, so that a memo stays small. */
function withValues(
  outcomes: readonly Outcome[],
  batch: Batch,
  entryFor: (key: string) => Entry | undefined,
): readonly Outcome[] {
  const told = new Set<string>()
  return outcomes.map((outcome, index) => {
    if (outcome.code !== 'conflict') return outcome
    const key = batch.mutations[index]?.key ?? ''
    const entry = entryFor(key)
    // Once for each key: two hundred copies of a large value would be fifty megabytes.
    if (entry !== undefined && told.has(key)) return { code: 'conflict', revision: entry[0] }
    told.add(key)
    return entry === undefined
      ? { code: 'conflict', revision: 0 }
      : { code: 'conflict', revision: entry[0], value: entry[1] }
  })
}

/** The memos of the other browsers, without that of the longest idle one when there is no room. */
function makeRoom(
  memos: readonly ClientMemo[],
  client: string,
  { now, clients = limits.rememberedBrowsers }: BatchContext,
): readonly ClientMemo[] {
  const others = memos.filter((memo) => memo.client !== client)
  if (others.length < clients) return others
  const [idlest] = others.toSorted((a, b) => a.at - b.at)
  const idleSeconds = now - (idlest?.at ?? now)
  if (idleSeconds < limits.browserBusySeconds) {
    throw refusal('clients-full', { retryAfterSeconds: limits.browserBusySeconds - idleSeconds })
  }
  return others.filter((memo) => memo !== idlest)
}
