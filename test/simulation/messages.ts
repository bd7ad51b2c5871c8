// `Request` and `Response` as far as this project uses them: bodies are text and there at once. Node's own would cost
// a seed half of its time, and read their bodies in steps that no seed decides.

type Fields = Headers | Readonly<Record<string, string>> | readonly (readonly [string, string])[]

interface RequestOptions {
  readonly method?: string
  readonly headers?: Fields
  readonly body?: string
  readonly credentials?: string
  readonly keepalive?: boolean
  readonly signal?: AbortSignal
}

class Body {
  bodyUsed = false
  readonly content: string | undefined
  constructor(content: string | undefined) {
    this.content = content
  }
  async text(): Promise<string> {
    this.use()
    return this.content ?? ''
  }
  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }
  use(): void {
    if (this.bodyUsed) throw new TypeError('The body was used.')
    if (this.content !== undefined) this.bodyUsed = true
  }
}

export class SimFetchRequest extends Body {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly credentials: string
  readonly keepalive: boolean
  readonly signal: AbortSignal | undefined
  readonly referrer = 'about:client'
  readonly referrerPolicy = ''
  readonly mode: string = 'cors'
  constructor(input: string | SimFetchRequest, init: RequestOptions = {}) {
    const from = typeof input === 'string' ? undefined : input
    super(init.body ?? from?.content)
    if (init.body === undefined) from?.use()
    this.url = typeof input === 'string' ? new URL(input).href : input.url
    this.method = init.method ?? from?.method ?? 'GET'
    this.headers = new Headers((init.headers ?? from?.headers) as Headers | undefined) // Node takes any of them.
    this.credentials = init.credentials ?? from?.credentials ?? 'same-origin'
    this.keepalive = init.keepalive ?? from?.keepalive ?? false
    this.signal = init.signal ?? from?.signal ?? never
  }
  clone(): SimFetchRequest {
    if (this.bodyUsed) throw new TypeError('The body was used.')
    const copied = new SimFetchRequest(this)
    this.bodyUsed = false
    return copied
  }
}

/** Of a request that nobody aborts. */
const never = { aborted: false, addEventListener: () => undefined } as unknown as AbortSignal // All that is asked of it.

export class SimFetchResponse extends Body {
  readonly status: number
  readonly headers: Headers
  constructor(
    content: string | undefined,
    init: { readonly status?: number; readonly headers?: Fields } = {},
  ) {
    super(content)
    this.status = init.status ?? 200
    this.headers = new Headers(init.headers as Headers | undefined) // As above.
  }
  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }
  clone(): SimFetchResponse {
    return new SimFetchResponse(this.content, this)
  }
}
