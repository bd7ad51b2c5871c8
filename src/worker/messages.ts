// What a page may say to the worker. Anything else, from anyone else, is ignored.
import { isObject } from '../protocol/json.ts'
import type { WorkerMessage } from '../protocol/worker-messages.ts'

const types: readonly unknown[] = ['claim', 'retire', 'report'] satisfies WorkerMessage['type'][]

/** The message in `event`, or undefined when it is none of ours or does not come from a page of this origin. */
export function parseMessage(data: unknown, source: unknown, origin: string): WorkerMessage | undefined {
  if (!isPageOf(source, origin) || !isObject(data) || !types.includes(data['type'])) return undefined
  return { type: data['type'] } as WorkerMessage // The type was just found in the list.
}

const clientTypes: readonly unknown[] = ['window', 'worker', 'sharedworker']

/**
 * Whether `client` is a page, frame or web worker of `origin`: the only ones that the worker works for. A blank or srcdoc frame, which
 * the browser gives to its parent's worker only where it has its parent's origin, has no url that says so.
 */
export function isOurClient(client: unknown, origin: string): boolean {
  if (!isClient(client) || !clientTypes.includes(client.type)) return false
  return /^about:(?:blank|srcdoc)/.test(client.url) || originOf(client.url) === origin
}

/** Whether `client` is a window of `origin`: the only ones that may tell the worker anything. */
export function isPageOf(client: unknown, origin: string): boolean {
  return isClient(client) && client.type === 'window' && originOf(client.url) === origin
}

function isClient(client: unknown): client is { readonly url: string; readonly type: unknown } {
  if (typeof client !== 'object' || client === null) return false
  return 'url' in client && 'type' in client && typeof client.url === 'string'
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin
  } catch {
    return undefined
  }
}
