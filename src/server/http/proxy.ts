// The request as the browser sent it, when proxies of ours stand between: they end TLS and change the Host.
import type { CoreRequest } from './request.ts'

/**
 * `request` as the outermost of `hops` proxies got it, by X-Forwarded-Proto and X-Forwarded-Host. Only what our
 * own proxies wrote is believed: the value that is `hops` from the right, since a client can write whatever it
 * likes before that. With 0 the headers are not looked at.
 */
export function behindProxies(request: CoreRequest, hops: number): CoreRequest {
  if (hops === 0) return request
  const proto = written(request.header('x-forwarded-proto'), hops)
  const host = written(request.header('x-forwarded-host'), hops)
  return {
    method: request.method,
    url: request.url,
    secure: proto === undefined ? request.secure : proto.toLowerCase() === 'https',
    host: host ?? request.host,
    // They have been read; whoever looks for signs of an unknown proxy is to find none.
    header: (name) => (forwarded.includes(name) ? undefined : request.header(name)),
    body: () => request.body(),
  }
}

const forwarded: readonly string[] = ['x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-for', 'forwarded']

/** Most proxies replace the header, some append to it: a list may be shorter than the chain. */
function written(header: string | undefined, hops: number): string | undefined {
  if (header === undefined) return undefined
  const values = header.split(',').map((value) => value.trim())
  const value = values[Math.max(0, values.length - hops)]
  return value === '' ? undefined : value
}
