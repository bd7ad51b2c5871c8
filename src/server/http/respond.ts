// What the server says: answers of the session routes, problems, and the headers of everything that read or
// set a session. No shared cache may keep any of it.
import { errorTable } from '../../protocol/error-table.ts'
import type { SessionError } from '../../protocol/errors.ts'
import type { MirrorMessage } from '../../protocol/messages.ts'

export type Header = readonly [name: string, value: string]

export interface CoreAnswer {
  readonly status: number
  /** Set-Cookie may stand several times. Names are lower-case. */
  readonly headers: readonly Header[]
  /** Pieces: an event stream. Whoever sends it calls `return` on the iterator when the client is gone. */
  readonly body: string | AsyncIterable<string>
}

const always: readonly Header[] = [
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
]
const ofSessionRoutes: readonly Header[] = [
  ...always,
  ['vary', 'Cookie, Origin, Sec-Fetch-Site'],
  ['cross-origin-resource-policy', 'same-origin'],
]

export function messageAnswer(message: MirrorMessage, extra: readonly Header[] = []): CoreAnswer {
  return jsonAnswer(message, extra)
}

export function jsonAnswer(value: object, extra: readonly Header[]): CoreAnswer {
  const body = JSON.stringify(value)
  return { status: 200, headers: [...ofSessionRoutes, ['content-type', 'application/json'], ...extra], body }
}

export function eventAnswer(body: AsyncIterable<string>): CoreAnswer {
  // Some proxies keep an answer back until it is whole.
  const fields: Header[] = [
    ['content-type', 'text/event-stream'],
    ['x-accel-buffering', 'no'],
  ]
  return { status: 200, headers: [...ofSessionRoutes, ...fields], body }
}

/** 204: nothing to say. */
export function emptyAnswer(fields: readonly Header[]): CoreAnswer {
  return { status: 204, headers: [...always, ...fields], body: '' }
}

export function withHeaders(answer: CoreAnswer, fields: readonly Header[]): CoreAnswer {
  return fields.length === 0 ? answer : { ...answer, headers: [...answer.headers, ...fields] }
}

export function notModified(extra: readonly Header[]): CoreAnswer {
  return { status: 304, headers: [...ofSessionRoutes, ...extra], body: '' }
}

/** For a bug: says nothing of it, and is kept by nobody. */
export const failureAnswer: CoreAnswer = {
  status: 500,
  headers: [...always, ['vary', 'Cookie, Origin, Sec-Fetch-Site']],
  body: '',
}

/** A refusal as RFC 9457 has it. Never sets or clears a cookie, and tells nothing of causes. */
export function problemAnswer(error: SessionError, extra: readonly Header[] = []): CoreAnswer {
  const { code, message, retryAfterSeconds } = error
  const fact = errorTable[code]
  // A mistake of the app itself, such as an unknown key, is the server's fault to the browser.
  const status = fact.status === 0 ? 500 : fact.status
  const detail = message === code ? fact.title : message
  const body = JSON.stringify({ type: 'about:blank', title: fact.title, status, code, detail })
  const retry: Header[] = status === 503 ? [['retry-after', String(retryAfterSeconds ?? 1)]] : []
  return {
    status,
    headers: [...ofSessionRoutes, ['content-type', 'application/problem+json'], ...retry, ...extra],
    body,
  }
}

const targetedFields = [
  'cdn-cache-control',
  'surrogate-control',
  'cloudflare-cdn-cache-control',
  'vercel-cdn-cache-control',
  'netlify-cdn-cache-control',
]

/** What an answer of the app must have when it read or set the session, for adapters: never a cached one. */
export function appHeaders(
  progress: { readonly isRead: boolean; readonly vary: string; headers(): readonly Header[] },
  current: (name: string) => string | undefined,
): Header[] {
  const own = [...progress.headers()]
  if (!progress.isRead) return own
  const setsCookie = own.some(([name]) => name === 'set-cookie')
  // For a CDN its own header (RFC 9213) goes before Cache-Control.
  const targeted = targetedFields.filter((name) => current(name) !== undefined)
  return [
    ...own,
    ...targeted.map((name): Header => [name, 'no-store']),
    ['cache-control', mergeCacheControl(current('cache-control'), setsCookie)],
    ['vary', mergeVary(current('vary'), progress.vary)],
    ['x-content-type-options', 'nosniff'],
  ]
}

/** `Vary` with `names` added, whatever it held. */
export function mergeVary(current: string | undefined, names: string): string {
  if (current === undefined || current.trim() === '') return names
  if (current.trim() === '*') return '*'
  const present = current
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const missing = names.split(', ').filter((name) => !present.includes(name.toLowerCase()))
  return [current, ...missing].join(', ')
}

/** What the app said stays where it keeps shared caches out; with a cookie in the answer only `no-store` does. */
export function mergeCacheControl(current: string | undefined, setsCookie: boolean): string {
  const isPrivate =
    /\bno-store\b/i.test(current ?? '') || (!setsCookie && /\bprivate\b(?!=)/i.test(current ?? ''))
  return isPrivate && current !== undefined ? current : 'no-store'
}
