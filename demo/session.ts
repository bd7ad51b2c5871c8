// This browser's session, and the switch that takes its network away.
import { type Session, createSession } from 'session-mirror'
import { type ShopSchema, schema } from './schema.ts'

/** With this cookie, the demo's server hangs up on this browser: on its pages and on the worker's Background Sync. */
const offlineCookie = 'demo-offline=1'
const listeners = new Set<(isOffline: boolean) => void>()

/** The page's `fetch`. It fails while “Go offline” is pressed, as it does with the browser's own offline switch. */
export function pageFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  return isOffline()
    ? Promise.reject(new TypeError('“Go offline” is pressed in this browser.'))
    : fetch(input, init)
}

export const session: Session<ShopSchema> = createSession({
  schema,
  worker: { url: '/session-worker.js', api: ['/api/'] },
  fetch: (request) => pageFetch(request),
  boot: ['user'],
  keepAlive: 'activity',
})

export function isOffline(): boolean {
  return document.cookie.split('; ').includes(offlineCookie)
}

export function goOffline(value: boolean): void {
  document.cookie = `${offlineCookie}; path=/; samesite=strict${value ? '' : '; max-age=0'}`
  for (const listener of listeners) listener(value)
  if (!value) void session.flush()
}

export function onOffline(listener: (isOffline: boolean) => void): void {
  listeners.add(listener)
}

/** Calls the shop's API through the worker, as any app would. Throws an error whose message can be shown to people. */
export async function callApi(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const init =
    body === undefined
      ? { method }
      : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  let response: Response
  try {
    response = await pageFetch(path, init)
  } catch {
    throw new Error('There is no network, and this needs the server. What you write here is kept.')
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer
  if (response.status === 503)
    throw new Error('The shop’s store does not answer. Nothing was changed; try again in a moment.')
  throw new Error(`The server answered ${response.status}.`)
}
