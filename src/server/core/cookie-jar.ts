// How the cookie is set: its name and attributes for one request. They are the same when it is cleared.
import { cookieValues } from '../codec/cookie.ts'
import type { CoreRequest } from '../http/request.ts'
import { invalidOption } from './refusal.ts'

/** The options for the session cookie. It is always HttpOnly, with Path=/. */
export interface CookieOptions {
  /**
   * Whether the cookie is Secure. `auto`: yes, unless the request is plain http to a loopback host.
   * @default 'auto'
   */
  readonly secure?: boolean | 'auto'
  /** The attribute SameSite. `None` needs Secure; give it together with `partitioned`. @default 'Lax' */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /** Whether the browser keeps a cookie of its own for each top-level site. Needs Secure. @default false */
  readonly partitioned?: boolean
  /**
   * Whether the cookie outlives the browser. `signIn(owner, { persistent })` says it for one session.
   * @default true
   */
  readonly persistent?: boolean
  /** Letters, digits, `_` and `-`. Where it is Secure, `__Host-Http-` goes before it. @default 'session' */
  readonly name?: string
}

/** How the cookie is set and cleared for a request. */
export interface CookieJar {
  /** The cookie's name: a Secure one has the prefix `__Host-Http-`. */
  nameFor(request: CoreRequest): string
  /** The Set-Cookie line. */
  line(request: CoreRequest, value: string, isPersistent: boolean): string
  /** The Set-Cookie lines that take the cookie away, also one that was set with the other value of `partitioned`. */
  clearing(request: CoreRequest): readonly string[]
  /** The Set-Cookie lines that take away what came beside the cookie, and would come again beside a new one. */
  clearingOthers(request: CoreRequest): readonly string[]
  /** The Set-Cookie line of a cookie like it, for the diagnosis: set for a minute, or taken away. */
  probe(request: CoreRequest, token: string, isSet: boolean): string
  /** Whether the cookie is Secure for this request. */
  isSecure(request: CoreRequest): boolean
  /** The attributes with which it would be set, for the diagnosis. */
  describe(request: CoreRequest): {
    readonly name: string
    readonly secure: boolean
    readonly sameSite: string
    readonly partitioned: boolean
  }
}

/** 400 days: browsers cut a longer Max-Age to that (RFC 6265bis, 5.6). */
const maxAgeLimitSeconds = 34_560_000

export function createCookieJar(options: CookieOptions, maxAgeSeconds: number): CookieJar {
  const { sameSite = 'Lax', partitioned = false, name = 'session' } = options
  const secure = partitioned || sameSite === 'None' ? (options.secure ?? true) : (options.secure ?? 'auto')
  check({ secure, sameSite, partitioned, name })
  const maxAge = Math.min(maxAgeSeconds, maxAgeLimitSeconds)

  function isSecure(request: CoreRequest): boolean {
    return secure === 'auto' ? request.secure || !isLoopback(request.host) || isForwarded(request) : secure
  }
  // A script of a page can push a `__Host-` cookie out of the jar and plant its own. With `__Host-Http-` it cannot.
  const nameFor = (request: CoreRequest): string => (isSecure(request) ? `__Host-Http-${name}` : name)

  function line(request: CoreRequest, value: string, age: number | undefined): string {
    return withAttributes(request, `${nameFor(request)}=${value}`, { age, isPartitioned: partitioned })
  }

  // To a browser these are two cookies (CHIPS); without Secure there is no partitioned one.
  function clearingTwin(request: CoreRequest): readonly string[] {
    if (!isSecure(request)) return []
    return [withAttributes(request, `${nameFor(request)}=`, { age: 0, isPartitioned: !partitioned })]
  }

  function withAttributes(
    request: CoreRequest,
    pair: string,
    { age, isPartitioned }: { readonly age: number | undefined; readonly isPartitioned: boolean },
  ): string {
    const parts = [
      pair,
      'Path=/',
      ...(age === undefined ? [] : [`Max-Age=${age}`]),
      'HttpOnly',
      `SameSite=${sameSite}`,
      ...(isSecure(request) ? ['Secure'] : []),
      ...(isPartitioned ? ['Partitioned'] : []),
    ]
    return parts.join('; ')
  }

  return {
    nameFor,
    isSecure,
    // Without Max-Age and Expires a browser forgets the cookie when it is closed.
    line: (request, value, isPersistent) => line(request, value, isPersistent ? maxAge : undefined),
    clearing: (request) => [...clearingTwin(request), line(request, '', 0)],
    clearingOthers: (request) =>
      cookieValues(request.header('cookie') ?? '', nameFor(request)).length > 1 ? clearingTwin(request) : [],
    probe: (request, token, isSet) =>
      withAttributes(request, `${nameFor(request)}-probe-${token}=${isSet ? '1' : ''}`, {
        age: isSet ? 60 : 0,
        isPartitioned: partitioned,
      }),
    describe: (request) => ({ name: nameFor(request), secure: isSecure(request), sameSite, partitioned }),
  }
}

/** A proxy that ends TLS often asks us by a loopback host. Its browsers came by https and need the Secure cookie. */
function isForwarded(request: CoreRequest): boolean {
  return ['x-forwarded-proto', 'x-forwarded-for', 'x-forwarded-host', 'forwarded'].some(
    (name) => request.header(name) !== undefined && request.header('x-forwarded-proto') !== 'http',
  )
}

/** `host` is that of the Host header, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase()
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(name)
  )
}

function check({ secure, sameSite, partitioned, name }: Required<Omit<CookieOptions, 'persistent'>>): void {
  if (secure !== true && (sameSite === 'None' || partitioned)) {
    throw invalidOption('cookie.sameSite None and cookie.partitioned need cookie.secure: true.')
  }
  if (!['Lax', 'Strict', 'None'].includes(sameSite)) {
    throw invalidOption(`cookie.sameSite must be Lax, Strict or None, not ${JSON.stringify(sameSite)}.`)
  }
  if (!/^[A-Za-z0-9][\w-]{0,63}$/.test(name)) {
    throw invalidOption(
      `cookie.name takes up to 64 letters, digits, _ and -, and gets its prefix here: not ${JSON.stringify(name)}.`,
    )
  }
}
