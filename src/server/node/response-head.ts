// What Node takes as the head and the pieces of an answer, checked and taken in as Node itself would.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/**
 * Takes the arguments of `writeHead` into the response, so that headers merge with ours: those given to
 * `writeHead` itself would win over them.
 * @throws RangeError as Node does for a status that is none
 */
export function adoptHead(response: ServerResponse, [status, ...rest]: unknown[]): void {
  const code = Number(status)
  if (!Number.isInteger(code) || code < 100 || code > 999) {
    throw Object.assign(new RangeError(`Invalid status code: ${String(status)}`), {
      code: 'ERR_HTTP_INVALID_STATUS_CODE',
    })
  }
  response.statusCode = code
  if (typeof rest[0] === 'string') response.statusMessage = rest[0]
  const given = typeof rest[0] === 'string' ? rest[1] : (rest[0] ?? rest[1])
  // `[[name, value], …]`, or `[name, value, name, value]`: a name may stand several times, a value be a list.
  if (Array.isArray(given))
    adoptList(response, (Array.isArray(given[0]) ? given.flat() : given) as OutgoingHttpHeader[]) // As Node's own types have it.
  else if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given as OutgoingHttpHeaders)) {
      if (value !== undefined) response.setHeader(name, value)
    }
  }
}

function adoptList(response: ServerResponse, list: readonly OutgoingHttpHeader[]): void {
  const names = new Set(list.filter((_, index) => index % 2 === 0).map(String))
  for (const name of names) response.removeHeader(name)
  for (let index = 0; index + 1 < list.length; index += 2) {
    const value = list[index + 1] ?? ''
    response.appendHeader(String(list[index]), Array.isArray(value) ? value : String(value))
  }
}

/** A mistake must be told where it is made, and not when the answer leaves. @throws TypeError as Node does */
export function checkChunk(chunk: unknown): void {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return
  throw Object.assign(new TypeError('An answer is written in strings and bytes.'), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}
