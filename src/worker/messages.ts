// What a page may say to the worker. Anything else, from anyone else, is ignored.
import { isObject } from '../protocol/json.ts'
import type { WorkerMessage } from '../protocol/worker-messages.ts'

const types: readonly unknown[] = ['claim', 'retire', 'report'] satisfies WorkerMessage['type'][]

/** The message in `event`, or undefined when it is none of ours or does not come from a page of this origin. */
export function parseMessage(data: unknown, source: unknown, origin: string): WorkerMessage | undefined {
  if (!isPageOf(source, origin) || !isObject(data) || !types.includes(data['type'])) return undefined
  return { type: data['type'] } as WorkerMessage // The type was just found in the list.
}

/** Whether `client` is a window of `origin`: the only ones that the worker works for. */
export function isPageOf(client: unknown, origin: string): boolean {
  if (typeof client !== 'object' || client === null || !('url' in client) || !('type' in client)) return false
  return (
    client.type === 'window' && typeof client.url === 'string' && URL.parse(client.url)?.origin === origin
  )
}
