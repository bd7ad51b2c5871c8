// What the server core needs to know of a request, and how a fetch `Request` or Node's one gives it.
import { type BodyChunks, chunksOf, parsedBody, readBody, unreadableBody } from './body.ts'

/** A request as the server core reads it. Whoever has another kind of request gives this. */
export interface CoreRequest {
  /** The HTTP method in capitals: `GET`. */
  readonly method: string
  /** Path and query as they came: `/session?since=3`. */
  readonly url: string
  /** Whether this very request came by https. */
  readonly secure: boolean
  /** The Host header, with the port if it has one; '' without any. */
  readonly host: string
  /** A header's value by its lower-case name; several of one name joined as HTTP joins them. */
  header(name: string): string | undefined
  /**
   * The body as text.
   * @throws SessionError `too-large` above 320 KiB, without reading on; `malformed` when it is not UTF-8, breaks off or
   * takes longer than 10 seconds
   */
  body(): Promise<string>
}

/** The part of Node's `IncomingMessage` that is used, and what Express adds to it. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  /** The HTTP method in capitals. Node sets it on every request of a server. */
  readonly method?: string | undefined
  /** Path and query; Express takes the mount point off. */
  readonly url?: string | undefined
  /** The path before Express took the mount point off. */
  readonly originalUrl?: string
  /** What a body parser made of the body, when one ran before us. */
  readonly body?: unknown
  /** The bytes, where a platform of functions keeps them beside what it parsed. */
  readonly rawBody?: unknown
  /** Whether somebody has begun to read the body. */
  readonly readableDidRead?: boolean
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The connection. It says whether the request came by TLS. */
  readonly socket: object
}

/** Anything that a session can be loaded for. */
export type AnyRequest = Request | NodeRequest | CoreRequest

/** `request` as the core reads it. */
export function toCoreRequest(request: AnyRequest): CoreRequest {
  // Node's first, because Express gives it `header`, `secure` and `host` too.
  if (isNodeRequest(request)) return new NodeCoreRequest(request)
  return isFetchRequest(request) ? new FetchCoreRequest(request) : request
}

/** Whether it is Node's own request. By shape, not by class: a request may come from another realm. */
export function isNodeRequest(request: AnyRequest): request is NodeRequest {
  return (request as Partial<NodeRequest>).socket !== undefined // Asked for, and not there on any other kind.
}

function isFetchRequest(request: Request | CoreRequest): request is Request {
  return typeof (request as Partial<Request>).clone === 'function' // Asked for, and not there on any other kind.
}

class FetchCoreRequest implements CoreRequest {
  readonly method: string
  readonly url: string
  readonly secure: boolean
  readonly host: string
  readonly #request: Request

  constructor(request: Request) {
    const url = new URL(request.url)
    this.#request = request
    this.method = request.method
    this.url = url.pathname + url.search
    this.secure = url.protocol === 'https:'
    this.host = this.header('host') ?? url.host
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined
  }

  async body(): Promise<string> {
    const { body, bodyUsed } = this.#request
    if (bodyUsed || body?.locked === true) throw unreadableBody()
    return readBody(chunksOf(body), this.header('content-length'))
  }
}

class NodeCoreRequest implements CoreRequest {
  readonly method: string
  readonly url: string
  readonly secure: boolean
  readonly host: string
  readonly #request: NodeRequest

  constructor(request: NodeRequest) {
    const { socket }: { readonly socket: { readonly encrypted?: unknown } } = request
    this.#request = request
    this.method = request.method ?? 'GET'
    this.url = toPath(request.originalUrl ?? request.url ?? '/')
    this.secure = socket.encrypted === true
    // HTTP/2 has no Host.
    this.host = this.header('host') ?? this.header(':authority') ?? ''
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return typeof value === 'object' ? value.join(', ') : value
  }

  async body(): Promise<string> {
    // A parser that ran before us has taken the bytes: what it made of them says the same.
    const parsed = parsedBody(this.#request.body) ?? parsedBody(this.#request.rawBody)
    if (parsed !== undefined) return parsed
    if (this.#request.readableDidRead === true) throw unreadableBody()
    // Not `for await`: leaving that loop early would destroy the socket that the answer needs.
    const chunks: BodyChunks = this.#request[Symbol.asyncIterator]()
    return readBody(chunks, this.header('content-length'))
  }
}

/** A target may stand in absolute form: `GET http://host/session` (RFC 9112, 3.2.2). */
function toPath(target: string): string {
  if (target.startsWith('/') || !URL.canParse(target)) return target
  const { pathname, search } = new URL(target)
  return pathname + search
}
