// Answers as the server's core makes them, before an adapter turns them into what its framework sends: messages,
// events, problems. No shared cache may keep any of them.
import { errorTable, isMistakeOfApp } from '../../protocol/error-table.ts'
import { SessionError } from '../../protocol/errors.ts'
import type { MirrorMessage } from '../../protocol/messages.ts'

/** One header: a lower-case name and its value. */
export type Header = readonly [name: string, value: string]

/** An answer that an adapter has to send. */
export interface CoreAnswer {
  /** The HTTP status. */
  readonly status: number
  /** In the order in which they are to be set. Set-Cookie may stand several times. */
  readonly headers: readonly Header[]
  /**
   * The whole text, or the pieces of an event stream. Whoever sends pieces calls `return` on the iterator when the
   * client is gone.
   */
  readonly body: string | AsyncIterable<string>
}

const uncached: readonly Header[] = [
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
]
const dependent: readonly Header[] = [...uncached, ['vary', 'Cookie, Origin, Sec-Fetch-Site']]
const routeHeaders: readonly Header[] = [...dependent, ['cross-origin-resource-policy', 'same-origin']]

/** The answer of a session route to the browser's SDK. */
export function messageAnswer(message: MirrorMessage, extra: readonly Header[] = []): CoreAnswer {
  return jsonAnswer(message, extra)
}

/** 200 with JSON that is for this browser alone. */
export function jsonAnswer(value: object, extra: readonly Header[]): CoreAnswer {
  const body = JSON.stringify(value)
  return { status: 200, headers: [...routeHeaders, ['content-type', 'application/json'], ...extra], body }
}

/** 200 with server-sent events. */
export function eventAnswer(body: AsyncIterable<string>): CoreAnswer {
  // Some proxies keep an answer back until it is whole.
  const fields: Header[] = [
    ['content-type', 'text/event-stream'],
    ['x-accel-buffering', 'no'],
  ]
  return { status: 200, headers: [...routeHeaders, ...fields], body }
}

/** 204 without a body. */
export function emptyAnswer(fields: readonly Header[]): CoreAnswer {
  return { status: 204, headers: [...uncached, ...fields], body: '' }
}

/** `answer` with more headers. */
export function withHeaders(answer: CoreAnswer, fields: readonly Header[]): CoreAnswer {
  return fields.length === 0 ? answer : { ...answer, headers: [...answer.headers, ...fields] }
}

/** 304: the browser has the newest state. */
export function notModified(extra: readonly Header[]): CoreAnswer {
  return { status: 304, headers: [...routeHeaders, ...extra], body: '' }
}

/** The answer to whatever was thrown: a problem for a SessionError; for a bug a 500 that says nothing of it. */
export function errorAnswer(error: unknown): CoreAnswer {
  return error instanceof SessionError ? problemAnswer(error) : { status: 500, headers: dependent, body: '' }
}

/** The titles that RFC 9457, 4.2.1, wants for problems of the type `about:blank`: those of RFC 9110, section 15. */
const statusPhrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

/**
 * A SessionError as an answer of the form of RFC 9457: status by its code, the status's own phrase as `title`, the error's
 * message as `detail`. 401 has a challenge of the scheme `Session`, at which no browser asks for a password (RFC 9110,
 * 15.5.2); 503 has Retry-After, and so has whatever may be otherwise in a moment. Never sets or clears a cookie, and tells nothing of causes. A code that never crosses the
 * wire, such as `unknown-key`, is a mistake of the app: it becomes 500, and `detail` is the table's title, because the
 * message may hold a value that is hidden.
 * @example if (error instanceof SessionError) send(problemAnswer(error))
 */
export function problemAnswer(error: SessionError, extra: readonly Header[] = []): CoreAnswer {
  const { code, message, retryAfterSeconds } = error
  const fact = errorTable[code]
  const status = fact.status === 0 ? 500 : fact.status
  const body = JSON.stringify({
    type: 'about:blank',
    title: statusPhrases[status],
    status,
    code,
    detail: isMistakeOfApp(code) ? fact.title : message,
  })
  const more: Header[] = []
  if (status === 401) more.push(['www-authenticate', `Session error="${code}"`])
  if (status === 503 || retryAfterSeconds !== undefined)
    more.push(['retry-after', String(retryAfterSeconds ?? 1)])
  return {
    status,
    headers: [...routeHeaders, ['content-type', 'application/problem+json'], ...more, ...extra],
    body,
  }
}
