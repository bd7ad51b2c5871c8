// What a page and the service worker say to each other, by message and port.
import { isObject } from './json.ts'
import { format } from './names.ts'
import { isCount } from './whole-number.ts'

/** What a page may ask of the worker, by `postMessage`. */
export type WorkerMessage =
  /** Take over pages that have no controller (after a hard reload), and work again if you were retired. */
  | { readonly type: 'claim' }
  /** The kill switch: stop intercepting now, and unregister. */
  | { readonly type: 'retire' }
  /** Answer on the message's port with a `WorkerReport`. */
  | { readonly type: 'report' }

/** What a worker says of itself, for people who look for mistakes. */
export interface WorkerReport {
  /** The version of wire and storage that the worker speaks. */
  readonly format: number
  /** When this run of the worker began, in local milliseconds since 1970. */
  readonly startedAt: number
  /** Requests that this run has sent with the session attached. */
  readonly attached: number
  /** Requests that this run has sent again after a refresh. */
  readonly retried: number
  /** Whether the kill switch was used. */
  readonly isRetired: boolean
  /** The base of the session routes, as this worker was told. */
  readonly session: string
  /** The listed paths and origins, as this worker was told. */
  readonly api: readonly string[]
  /** URLs of a few listed requests whose answers said nothing of the session. */
  readonly silent: readonly string[]
}

/** A worker's answer to `report`. Of a worker that speaks another format nothing but that format is believed. */
export type WorkerAnswer =
  | { readonly kind: 'report'; readonly report: WorkerReport }
  | { readonly kind: 'other-format'; readonly format: number }

/** A worker's answer, or undefined when `data` is none. */
export function parseWorkerAnswer(data: unknown): WorkerAnswer | undefined {
  if (!isObject(data) || typeof data['format'] !== 'number') return undefined
  if (data['format'] !== format) return { kind: 'other-format', format: data['format'] }
  const { startedAt, attached, retried, isRetired, session, api, silent } = data
  if (typeof startedAt !== 'number' || typeof isRetired !== 'boolean') return undefined
  if (!isCount(attached) || !isCount(retried)) return undefined
  if (typeof session !== 'string' || !isTextList(api) || !isTextList(silent)) return undefined
  return { kind: 'report', report: { format, startedAt, attached, retried, isRetired, session, api, silent } }
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}
