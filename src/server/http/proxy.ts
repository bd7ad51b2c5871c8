// The request as the browser sent it, when proxies of ours stand between: they end TLS and change the Host.
import type { CoreRequest } from './request.ts'

/**
 * `request` as the outermost of `hops` proxies got it, by X-Forwarded-Proto and X-Forwarded-Host. Only what our
 * own proxies wrote is believed: the value that is `hops` from the right, since a client can write whatever it
 * likes before that. With 0 the headers are not looked at.
 */
export function behindProxies(request: CoreRequest, hops: number): CoreRequest {
  return hops === 0 ? request : new ForwardedRequest(request, hops)
}

const forwardedFields: readonly string[] = [
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-for',
  'forwarded',
]

class ForwardedRequest implements CoreRequest {
  readonly method: string
  readonly url: string
  readonly secure: boolean
  readonly host: string
  readonly #request: CoreRequest

  constructor(request: CoreRequest, hops: number) {
    const scheme = valueFrom(request.header('x-forwarded-proto'), hops)
    this.#request = request
    this.method = request.method
    this.url = request.url
    this.secure = scheme === undefined ? request.secure : scheme.toLowerCase() === 'https'
    this.host = valueFrom(request.header('x-forwarded-host'), hops) ?? request.host
  }

  header(name: string): string | undefined {
    // They have been read; whoever looks for signs of an unknown proxy is to find none.
    return forwardedFields.includes(name) ? undefined : this.#request.header(name)
  }

  body(): Promise<string> {
    return this.#request.body()
  }
}

/** Most proxies replace the header, some append to it: a list may be shorter than the chain. */
function valueFrom(header: string | undefined, hops: number): string | undefined {
  if (header === undefined) return undefined
  const values = header.split(',').map((value) => value.trim())
  const value = values[Math.max(0, values.length - hops)]
  return value === '' ? undefined : value
}
