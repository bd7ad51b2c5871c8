// What travels: the parsers for everything that comes from the other side, each the only way in.
// A parser returns the typed value or throws SessionError `malformed`; it never repairs.
import { SessionError, type SessionErrorCode } from './errors.ts'
import { type Json, isObject, parseJson } from './json.ts'
import * as limits from './limits.ts'
import type { Base, Mutation, Outcome } from './mutation.ts'
import { isKeyName } from './schema.ts'
import { type Entries, type Entry, type Epoch, type Patch, isEpoch, isToken } from './state.ts'
import { isWholeNumber } from './whole-number.ts'

/** `POST sync`: the batch is text, so that it is hashed and re-sent byte for byte. */
export interface SyncRequest {
  readonly epoch: Epoch | null
  readonly owner: string | null
  readonly since: number
  readonly batch?: string
}

/** A sealed batch, as its text says: `{"client":…,"number":…,"mutations":[…]}`. */
export interface Batch {
  readonly client: string
  readonly number: number
  readonly mutations: readonly Mutation[]
}

/** Of which session an answer speaks, and how long that lives: seconds from now, 0 while there is none. */
export interface SessionTimes {
  readonly epoch: Epoch | null
  readonly revision: number
  /** Until the cookie must be refreshed. */
  readonly freshIn: number
  /** Until the session ends if nothing is done. */
  readonly expiresIn: number
  /** `<id>.<key>`: seals the unsent changes of this owner when another one takes the browser over. */
  readonly parking: string | null
  /** False for a session that ends with the browser; not there otherwise. */
  readonly persistent?: boolean
}

/** The answer of every session route. */
export interface MirrorMessage extends Patch, SessionTimes {
  /** One for each mutation of the batch in the request, in its order. */
  readonly outcomes?: readonly Outcome[]
}

export interface Problem {
  readonly code: SessionErrorCode
  readonly status: number
  readonly detail: string
}

export function parseSyncRequest(body: string): SyncRequest {
  const json = toObject(parseJson(body), ['epoch', 'owner', 'since', 'batch'])
  const { epoch, owner, since, batch } = json
  if (!isNullOr(epoch, isEpoch)) throw malformed('epoch')
  if (!isNullOr(owner, isString)) throw malformed('owner')
  if (!isCount(since)) throw malformed('since')
  if (batch !== undefined && typeof batch !== 'string') throw malformed('batch')
  return { epoch, owner, since, ...(batch === undefined ? {} : { batch }) }
}

export function parseBatch(text: string): Batch {
  const { client, number, mutations } = toObject(parseJson(text), ['client', 'number', 'mutations'])
  if (!isToken(client)) throw malformed('client')
  if (!isCount(number) || number === 0) throw malformed('number')
  if (!Array.isArray(mutations) || mutations.length === 0) throw malformed('mutations')
  if (mutations.length > limits.batchMutations)
    throw new SessionError('too-large', 'The batch has too many mutations.')
  return { client, number, mutations: mutations.map(parseMutation) }
}

export function parseMirrorMessage(value: unknown): MirrorMessage {
  const times = parseSessionTimes(value)
  if (!isObject(value)) throw malformed('body')
  const { owner, since, keys, removed, outcomes } = value
  if (!isNullOr(owner, isString) || !isNullOr(since, isCount)) throw malformed('owner')
  if (!isObject(keys) || !Object.values(keys).every(isEntry)) throw malformed('keys')
  if (!isObject(removed) || !Object.values(removed).every(isCount)) throw malformed('removed')
  if (outcomes !== undefined && !(Array.isArray(outcomes) && outcomes.every(isOutcome)))
    throw malformed('outcomes')
  const patch = { owner, since, keys: keys as Entries, removed: removed as Record<string, number> }
  return { ...times, ...patch, ...(outcomes === undefined ? {} : { outcomes }) }
}

/** What a refresh is for; the worker reads no more of an answer than this. */
export function parseSessionTimes(value: unknown): SessionTimes {
  if (!isObject(value)) throw malformed('body')
  const { epoch, revision, freshIn, expiresIn, parking, persistent } = value
  if (!isNullOr(epoch, isEpoch) || !isNullOr(parking, isString)) throw malformed('epoch')
  if (!isCount(revision) || typeof freshIn !== 'number' || typeof expiresIn !== 'number')
    throw malformed('times')
  return { epoch, revision, freshIn, expiresIn, parking, ...(persistent === false ? { persistent } : {}) }
}

/** The code of a problem+json body, or undefined when the answer is not one of ours. */
export function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value)) return undefined
  const { code, status, detail } = value
  // A newer server may know codes that this browser does not: they are read as what they are, and matched by none.
  if (typeof code !== 'string' || !/^[a-z-]{3,30}$/.test(code)) return undefined
  return { code: code as SessionErrorCode, status: Number(status), detail: String(detail) }
}

/** `Session-Revision`: `E.R`, or undefined for `none` and for anything else. */
export function parseRevisionHeader(value: string): { epoch: Epoch; revision: number } | undefined {
  const [epoch, revision, rest] = value.split('.')
  if (rest !== undefined || !isEpoch(epoch) || revision === undefined || !/^\d{1,15}$/.test(revision))
    return undefined
  return { epoch, revision: Number(revision) }
}

function parseMutation(value: unknown): Mutation {
  const { id, kind, key, ...rest } = toObject(value, ['id', 'kind', 'key', 'value', 'by', 'base'])
  if (!isToken(id)) throw malformed('mutation.id')
  if (typeof key !== 'string' || !isKeyName(key)) throw malformed('mutation.key')
  const base = rest['base'] === undefined ? {} : { base: parseBase(rest['base']) }
  if (kind === 'set' && rest['value'] !== undefined && !('by' in rest)) {
    return { id, kind, key, value: rest['value'] as Json, ...base }
  }
  if (kind === 'remove' && !('value' in rest) && !('by' in rest)) return { id, kind, key, ...base }
  if (kind === 'increment' && Number.isSafeInteger(rest['by']) && !('value' in rest) && !('base' in rest)) {
    return { id, kind, key, by: Number(rest['by']) }
  }
  throw malformed('mutation.kind')
}

function parseBase(input: unknown): Base {
  const { epoch, revision, value } = toObject(input, ['epoch', 'revision', 'value'])
  if (!isNullOr(epoch, isEpoch) || !isCount(revision)) throw malformed('mutation.base')
  return { epoch, revision, ...(value === undefined ? {} : { value: value as Json }) }
}

function toObject(value: unknown, allowed: readonly string[]): Record<string, unknown> {
  if (!isObject(value)) throw malformed('body')
  const unknown = Object.keys(value).find((name) => !allowed.includes(name))
  if (unknown !== undefined) throw malformed(JSON.stringify(unknown.slice(0, limits.keyNameCharacters)))
  return value
}

function isEntry(value: unknown): value is Entry {
  return Array.isArray(value) && value.length === 2 && isCount(value[0]) && value[1] !== undefined
}

function isOutcome(value: unknown): value is Outcome {
  if (!isObject(value)) return false
  if (value['code'] === 'ok' || value['code'] === 'conflict') return isCount(value['revision'])
  return value['code'] === 'denied' || value['code'] === 'invalid' || value['code'] === 'too-large'
}

function isCount(value: unknown): value is number {
  return isWholeNumber(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isNullOr<T>(value: unknown, is: (value: unknown) => value is T): value is T | null {
  return value === null || is(value)
}

function malformed(where: string): SessionError {
  return new SessionError('malformed', `Not the protocol: ${where}.`)
}
