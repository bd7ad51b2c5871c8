// What travels: the parsers for everything that comes from the other side, each of them the only way in. A parser checks
// every member and returns the typed value, or throws SessionError `malformed`; it never repairs.
import { SessionError, type SessionErrorCode } from './errors.ts'
import { type Json, isObject, parseJson } from './json.ts'
import * as limits from './limits.ts'
import type { Base, Mutation, Outcome } from './mutation.ts'
import { isKeyName } from './schema.ts'
import { type Entry, type Epoch, type Patch, isEpoch, isToken } from './state.ts'
import { isCount, isInteger } from './whole-number.ts'

/** The body of `POST sync`. The batch is text, so that it can be hashed, and sent again byte for byte. */
export interface SyncRequest {
  /** The session that the browser believes in; null for none. */
  readonly epoch: Epoch | null
  /** Who the browser believes is signed in; null for nobody. */
  readonly owner: string | null
  /** The revision that the browser has. */
  readonly since: number
  /** The sealed batch; not there when there is nothing to send. */
  readonly batch?: string
}

/** A sealed batch, as its text says: `{"client":…,"number":…,"mutations":[…]}`. */
export interface Batch {
  /** Random text that names one browser's outbox. */
  readonly client: string
  /** Counts the batches of this client, from 1. */
  readonly number: number
  /** At least one, in the order in which they were made. */
  readonly mutations: readonly Mutation[]
}

/** Which session an answer speaks of, and how long that session lives. */
export interface SessionTimes {
  /** Null while there is no session. */
  readonly epoch: Epoch | null
  /** The session's revision; 0 while there is none. */
  readonly revision: number
  /** Seconds until the cookie must be refreshed. */
  readonly freshIn: number
  /** Seconds until the session ends if nothing is done. */
  readonly expiresIn: number
  /** `<id>.<key>`: encrypts the unsent changes of this owner when another owner takes the browser over. */
  readonly parking: string | null
  /** False for a session that ends with the browser; not there otherwise. */
  readonly persistent?: boolean
}

/** The answer of every session route. */
export interface MirrorMessage extends Patch, SessionTimes {
  /** One for each mutation of the batch in the request, in its order. */
  readonly outcomes?: readonly Outcome[]
}

/** What a rendered page carries, as JSON: an answer to the question that the page would ask first. */
export interface EmbeddedSession {
  /** The version of the wire. */
  readonly format: number
  /** When the page was made, in milliseconds since 1970 by the server's clock. */
  readonly at: number
  readonly message: MirrorMessage
}

/** The body of an answer with an error: problem+json (RFC 9457). */
export interface Problem {
  readonly code: SessionErrorCode
  readonly status: number
  readonly detail: string
}

/** Where a session is, as the `Session-Revision` header says it. */
export interface SessionRevision {
  readonly epoch: Epoch
  readonly revision: number
}

/**
 * The body of `POST sync`.
 * @throws SessionError `malformed`
 */
export function parseSyncRequest(body: string): SyncRequest {
  const { epoch, owner, since, batch } = toObject(parseJson(body), ['epoch', 'owner', 'since', 'batch'])
  if (!isNullOr(epoch, isEpoch)) throw malformed('epoch')
  if (!isNullOr(owner, isString)) throw malformed('owner')
  if (!isCount(since)) throw malformed('since')
  if (batch !== undefined && !isString(batch)) throw malformed('batch')
  return { epoch, owner, since, ...(batch === undefined ? {} : { batch }) }
}

/**
 * The text of a sealed batch.
 * @throws SessionError `malformed`; `too-large` for more than 200 mutations
 */
export function parseBatch(text: string): Batch {
  const { client, number, mutations } = toObject(parseJson(text), ['client', 'number', 'mutations'])
  if (!isToken(client)) throw malformed('client')
  if (!isCount(number) || number === 0) throw malformed('number')
  if (!isList(mutations) || mutations.length === 0) throw malformed('mutations')
  if (mutations.length > limits.batchMutations)
    throw new SessionError(
      'too-large',
      `A batch has at most ${limits.batchMutations} mutations, and this one has ${mutations.length}. Nothing was changed.`,
    )
  return { client, number, mutations: mutations.map(parseMutation) }
}

/**
 * The body of an answer of the mirror route, of sync and of sign-out.
 * @throws SessionError `malformed`
 */
export function parseMirrorMessage(value: unknown): MirrorMessage {
  const times = parseSessionTimes(value)
  if (!isObject(value)) throw malformed('body')
  const { owner, since, keys, removed, outcomes } = value
  if (!isNullOr(owner, isString) || !isNullOr(since, isCount)) throw malformed('owner')
  if (!isRecordOf(keys, isEntry)) throw malformed('keys')
  if (!isRecordOf(removed, isCount)) throw malformed('removed')
  if (outcomes !== undefined && !isListOf(outcomes, isOutcome)) throw malformed('outcomes')
  return { ...times, owner, since, keys, removed, ...(outcomes === undefined ? {} : { outcomes }) }
}

/**
 * What a refresh is for, of any answer; the worker reads no more than this.
 * @throws SessionError `malformed`
 */
export function parseSessionTimes(value: unknown): SessionTimes {
  if (!isObject(value)) throw malformed('body')
  const { epoch, revision, freshIn, expiresIn, parking, persistent } = value
  if (!isNullOr(epoch, isEpoch) || !isNullOr(parking, isString)) throw malformed('epoch')
  if (!isCount(revision) || typeof freshIn !== 'number' || typeof expiresIn !== 'number')
    throw malformed('times')
  return { epoch, revision, freshIn, expiresIn, parking, ...(persistent === false ? { persistent } : {}) }
}

/** The body of an answer with an error; undefined when the answer is not one of ours. */
export function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value)) return undefined
  const { code, status, detail } = value
  if (typeof code !== 'string' || !/^[a-z-]{3,30}$/.test(code)) return undefined
  // A newer server may have codes that this browser does not know. They are kept as they are, and match none.
  return { code: code as SessionErrorCode, status: Number(status), detail: String(detail) }
}

/** The value of a `Session-Revision` header, `E.R`; undefined for `none` and for anything else. */
export function parseRevisionHeader(value: string): SessionRevision | undefined {
  const [epoch, revision, rest] = value.split('.')
  if (rest !== undefined || !isEpoch(epoch) || revision === undefined || !/^\d{1,15}$/.test(revision))
    return undefined
  return { epoch, revision: Number(revision) }
}

function parseMutation(input: Json): Mutation {
  const members = toObject(input, ['id', 'kind', 'key', 'value', 'by', 'base'])
  const { id, kind, key, value, by } = members
  if (!isToken(id)) throw malformed('mutation.id')
  if (!isString(key) || !isKeyName(key)) throw malformed('mutation.key')
  const base = members['base'] === undefined ? {} : { base: parseBase(members['base']) }
  if (kind === 'set' && value !== undefined && by === undefined) return { id, kind, key, value, ...base }
  if (kind === 'remove' && value === undefined && by === undefined) return { id, kind, key, ...base }
  if (kind === 'increment' && isInteger(by) && value === undefined && !('base' in base))
    return { id, kind, key, by }
  throw malformed('mutation.kind')
}

function parseBase(input: Json): Base {
  const { epoch, revision, value } = toObject(input, ['epoch', 'revision', 'value'])
  if (!isNullOr(epoch, isEpoch) || !isCount(revision)) throw malformed('mutation.base')
  return { epoch, revision, ...(value === undefined ? {} : { value }) }
}

/** The members of a JSON object, which may have no others than the allowed ones. */
function toObject(value: Json, allowed: readonly string[]): { readonly [name: string]: Json | undefined } {
  if (typeof value !== 'object' || value === null || isList(value)) throw malformed('body')
  const unknown = Object.keys(value).find((name) => !allowed.includes(name))
  if (unknown !== undefined) throw malformed(JSON.stringify(unknown.slice(0, limits.keyNameCharacters)))
  return value
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

function isListOf<T>(value: unknown, is: (value: unknown) => value is T): value is readonly T[] {
  return Array.isArray(value) && value.every((entry) => is(entry))
}

function isRecordOf<T>(value: unknown, is: (value: unknown) => value is T): value is Record<string, T> {
  return isObject(value) && isListOf(Object.values(value), is)
}

/** Whether `value` is a revision and a value beside it. */
export function isEntry(value: unknown): value is Entry {
  return Array.isArray(value) && value.length === 2 && isCount(value[0]) && value[1] !== undefined
}

/** Whether `value` is the server's word on one mutation. */
export function isOutcome(value: unknown): value is Outcome {
  if (!isObject(value)) return false
  const { code, revision, message } = value
  if (code === 'ok' || code === 'conflict') return isCount(revision)
  return code === 'denied' || code === 'too-large' || (code === 'invalid' && isString(message))
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isNullOr<T>(value: unknown, is: (value: unknown) => value is T): value is T | null {
  return value === null || is(value)
}

function malformed(where: string): SessionError {
  return new SessionError('malformed', `Not the protocol, or not this version of it: ${where}.`)
}
