// The head of an answer that is held: takes in what the app gives to `writeHead`, keeps the status that counts, and
// can be set back to what it was before the app. Never sends anything.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** The methods of Node's answers that change or send the head, or write the body. */
export type ResponseMethods = Pick<
  ServerResponse,
  | 'write'
  | 'end'
  | 'writeHead'
  | 'flushHeaders'
  | 'setHeader'
  | 'appendHeader'
  | 'removeHeader'
  | 'setHeaders'
>

/** Those that `response` has now: Node's own, or what other middleware put in their place. */
export function methodsOf(response: ServerResponse): ResponseMethods {
  const { write, end, writeHead, flushHeaders, setHeader, appendHeader, removeHeader, setHeaders } = response
  const methods = { write, end, writeHead, flushHeaders, setHeader, appendHeader, removeHeader }
  return { ...methods, setHeaders }
}

/** HTTP/2 has no status message, and Node warns of everyone who reads or writes one there. */
export function isHttp2({ req }: ServerResponse): boolean {
  return req?.httpVersionMajor === 2
}

export class AnswerHead {
  readonly #response: ServerResponse
  readonly #methods: ResponseMethods
  /** What stood there before the app was asked. */
  readonly #earlier: OutgoingHttpHeaders | undefined
  #statusCode = 200
  #statusMessage: string | undefined

  /** `methods` are those that the response had before it was held. */
  constructor(response: ServerResponse, methods: ResponseMethods) {
    this.#response = response
    this.#methods = methods
    this.#earlier = response.getHeaderNames().length === 0 ? undefined : response.getHeaders()
  }

  /** Remembers the status: an error handler that runs while the answer is held must not change it. */
  keepStatus(): void {
    this.#statusCode = this.#response.statusCode
    if (!isHttp2(this.#response)) this.#statusMessage = this.#response.statusMessage
  }

  /** Sets the status that was kept. */
  restoreStatus(): void {
    this.#response.statusCode = this.#statusCode
    // Undefined where the app set none: Node finds the words for the status itself.
    if (!isHttp2(this.#response)) Object.assign(this.#response, { statusMessage: this.#statusMessage })
  }

  /** Takes the app's headers off. Without those of CORS a page of another origin could not read the failure. */
  clear(): void {
    const response = this.#response
    for (const name of response.getHeaderNames()) {
      if (name !== 'vary' && !name.startsWith('access-control-'))
        Reflect.apply(this.#methods.removeHeader, response, [name])
    }
    for (const [name, value] of Object.entries(this.#earlier ?? {})) {
      if (value !== undefined && !response.hasHeader(name))
        Reflect.apply(this.#methods.setHeader, response, [name, value])
    }
    if (!isHttp2(response)) response.statusMessage = ''
  }
}

/**
 * Takes the arguments of `writeHead` into the response, so that its headers merge with ours: those given to
 * `writeHead` itself would win over them.
 * @throws RangeError as Node does for a status that is none
 */
export function adoptHead(response: ServerResponse, [status, ...rest]: readonly unknown[]): void {
  const code = Number(status)
  if (!Number.isInteger(code) || code < 100 || code > 999) {
    throw Object.assign(new RangeError(`Invalid status code: ${String(status)}`), {
      code: 'ERR_HTTP_INVALID_STATUS_CODE',
    })
  }
  response.statusCode = code
  if (typeof rest[0] === 'string' && !isHttp2(response)) response.statusMessage = rest[0]
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
