// What a page and the service worker say to each other, by message and port.
import { isObject } from './json.ts'
import { format } from './names.ts'

export type WorkerMessage =
  /** A page wants the worker: it takes over one that has no controller (a hard reload), and works again if it was retired. */
  | { readonly type: 'claim' }
  /** The kill switch: stop intercepting now, and unregister. */
  | { readonly type: 'retire' }
  /** Answered on the message's port with a `WorkerReport`. */
  | { readonly type: 'report' }

/** What a worker says of itself. Times are local milliseconds. */
export interface WorkerReport {
  readonly format: number
  readonly startedAt: number
  readonly attached: number
  readonly retried: number
  readonly isRetired: boolean
  /** The base of the session routes, and what is listed, as this worker was told. */
  readonly session: string
  readonly api: readonly string[]
  /** Urls of listed requests whose answers said nothing of the session, a few of them. */
  readonly silent: readonly string[]
}

/** A worker's answer, or undefined when it is none. Of another format only the number counts. */
export function parseWorkerReport(
  data: unknown,
): (Partial<WorkerReport> & { readonly format: number }) | undefined {
  if (!isObject(data) || typeof data['format'] !== 'number') return undefined
  return data['format'] === format
    ? (data as unknown as WorkerReport) // Written by a worker of this very format.
    : { format: data['format'] }
}
