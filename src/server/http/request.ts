// What the server core needs to know of a request, and how a fetch `Request` or Node's one gives it.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'

export interface CoreRequest {
  readonly method: string
  /** Path and query as they came: `/session?since=3`. */
  readonly url: string
  /** Whether this very request came by https. */
  readonly secure: boolean
  /** The Host header, with the port if it has one. */
  readonly host: string
  /** A header's value by its lower-case name; several of one name joined as HTTP joins them. */
  header(name: string): string | undefined
  /**
   * The body as text.
   * @throws SessionError `too-large` above `limits.bodyBytes`, without reading on; `malformed` when it is not
   * UTF-8, breaks off or takes too long.
   */
  body(): Promise<string>
}

/** The part of Node's `IncomingMessage` that is used, and what Express adds to it. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string
  /** What a body parser made of the body, when one ran before us. */
  readonly body?: unknown
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly socket: object
}

/** Anything that a session can be loaded for. */
export type AnyRequest = Request | NodeRequest | CoreRequest

export function toCoreRequest(request: AnyRequest): CoreRequest {
  // Node's first, because Express gives it `header`, `secure` and `host` too.
  if (isNodeRequest(request)) return fromNode(request)
  return 'clone' in request ? fromFetch(request) : request
}

/** Whether it is Node's own request. By shape, not by class: a request may come from another realm. */
export function isNodeRequest(request: AnyRequest): request is NodeRequest {
  return 'socket' in request
}

function fromFetch(request: Request): CoreRequest {
  const url = new URL(request.url)
  const header = (name: string): string | undefined => request.headers.get(name) ?? undefined
  return {
    method: request.method,
    url: url.pathname + url.search,
    secure: url.protocol === 'https:',
    host: header('host') ?? url.host,
    header,
    body: () => readBody(readerOf(request.body), header('content-length')),
  }
}

function fromNode(request: NodeRequest): CoreRequest {
  const header = (name: string): string | undefined => {
    const value = request.headers[name]
    return typeof value === 'object' ? value.join(', ') : value
  }
  return {
    method: request.method ?? 'GET',
    url: toPath(request.originalUrl ?? request.url ?? '/'),
    secure: 'encrypted' in request.socket && request.socket.encrypted === true,
    // HTTP/2 has no Host.
    host: header('host') ?? header(':authority') ?? '',
    header,
    async body() {
      // A parser that ran before us has taken the bytes: what it made of them says the same.
      if (typeof request.body === 'string') return limited(request.body)
      if (typeof request.body === 'object' && request.body !== null)
        return limited(JSON.stringify(request.body))
      // Not `for await`: leaving that loop early would destroy the socket that the answer needs.
      return readBody(request[Symbol.asyncIterator](), header('content-length'))
    },
  }
}

/** A target may stand in absolute form: `GET http://host/session` (RFC 9112, 3.2.2). */
function toPath(target: string): string {
  if (target.startsWith('/') || !URL.canParse(target)) return target
  const { pathname, search } = new URL(target)
  return pathname + search
}

function limited(text: string): string {
  if (text.length > limits.bodyBytes) throw new SessionError('too-large')
  return text
}

interface Chunks {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }>
}

async function readBody(chunks: Chunks, declaredLength: string | undefined): Promise<string> {
  if (Number(declaredLength) > limits.bodyBytes) throw new SessionError('too-large')
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new SessionError('malformed', 'The body did not arrive in time.')
    timer = setTimeout(reject, limits.bodySeconds * 1000, error)
  })
  try {
    return await collect({ next: () => Promise.race([chunks.next(), late]) })
  } finally {
    clearTimeout(timer)
  }
}

// Safari's streams cannot be iterated.
function readerOf(body: ReadableStream<Uint8Array> | null): Chunks {
  if (body === null) return { next: async () => ({ done: true }) }
  const reader = body.getReader()
  return { next: () => reader.read() }
}

async function collect(chunks: Chunks): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await chunks.next()
      if (done === true || value === undefined) return text + decoder.decode()
      bytes += value.byteLength
      if (bytes > limits.bodyBytes) throw new SessionError('too-large')
      text += decoder.decode(value, { stream: true })
    }
  } catch (cause) {
    if (cause instanceof SessionError) throw cause
    throw new SessionError('malformed', 'The body broke off, or is not UTF-8.', { cause })
  }
}
