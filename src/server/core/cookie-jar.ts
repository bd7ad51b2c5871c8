// How the cookie is set: its name and attributes for one request. They are the same when it is cleared.
import { SessionError } from '../../protocol/errors.ts'
import type { CoreRequest } from '../http/request.ts'

export interface CookieOptions {
  /**
   * `auto`: Secure, unless the request is plain http to a loopback host.
   * @default 'auto'
   */
  readonly secure?: boolean | 'auto'
  /** `None` needs Secure; give it together with `partitioned`. @default 'Lax' */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /** One cookie jar for each top-level site. Needs Secure. @default false */
  readonly partitioned?: boolean
  /**
   * Whether the cookie outlives the browser. `signIn(owner, { persistent })` says it for one session.
   * @default true
   */
  readonly persistent?: boolean
  /** Letters, digits, `_` and `-`. Where it is Secure, `__Host-Http-` goes before it. @default 'session' */
  readonly name?: string
}

export interface CookieJar {
  nameFor(request: CoreRequest): string
  /** The Set-Cookie line. */
  line(request: CoreRequest, value: string, isPersistent: boolean): string
  /** The Set-Cookie line that takes the cookie away. */
  clearing(request: CoreRequest): string
  /** The Set-Cookie line of a cookie like it, for the diagnosis: set for a minute, or taken away. */
  probe(request: CoreRequest, token: string, isSet: boolean): string
  isSecure(request: CoreRequest): boolean
  /** As it would be set. */
  describe(request: CoreRequest): {
    readonly name: string
    readonly secure: boolean
    readonly sameSite: string
    readonly partitioned: boolean
  }
}

/** Browsers cut a longer Max-Age to 400 days (RFC 6265bis, 5.6). */
const maxAgeLimit = 34_560_000

export function createCookieJar(options: CookieOptions, maxAgeSeconds: number): CookieJar {
  const { sameSite = 'Lax', partitioned = false, name = 'session' } = options
  const secure = partitioned || sameSite === 'None' ? (options.secure ?? true) : (options.secure ?? 'auto')
  check({ secure, sameSite, partitioned, name })
  const maxAge = Math.min(maxAgeSeconds, maxAgeLimit)

  function isSecure(request: CoreRequest): boolean {
    return secure === 'auto' ? request.secure || !isLoopback(request.host) || isForwarded(request) : secure
  }
  // Page script can push a `__Host-` cookie out of the jar and plant its own; a `__Host-Http-` one it cannot.
  const nameFor = (request: CoreRequest): string => (isSecure(request) ? `__Host-Http-${name}` : name)

  function line(request: CoreRequest, value: string, age: number | undefined): string {
    return withAttributes(request, `${nameFor(request)}=${value}`, age)
  }

  function withAttributes(request: CoreRequest, pair: string, age: number | undefined): string {
    const parts = [
      pair,
      'Path=/',
      ...(age === undefined ? [] : [`Max-Age=${age}`]),
      'HttpOnly',
      `SameSite=${sameSite}`,
      ...(isSecure(request) ? ['Secure'] : []),
      ...(partitioned ? ['Partitioned'] : []),
    ]
    return parts.join('; ')
  }

  return {
    nameFor,
    isSecure,
    // Without Max-Age and Expires a browser forgets the cookie when it is closed.
    line: (request, value, isPersistent) => line(request, value, isPersistent ? maxAge : undefined),
    clearing: (request) => line(request, '', 0),
    probe: (request, token, isSet) =>
      withAttributes(request, `${nameFor(request)}-probe-${token}=${isSet ? '1' : ''}`, isSet ? 60 : 0),
    describe: (request) => ({ name: nameFor(request), secure: isSecure(request), sameSite, partitioned }),
  }
}

/** A proxy that ends TLS asks us as a loopback host, unless it is told otherwise: not a case for a plain cookie. */
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
    throw new SessionError(
      'invalid-option',
      'cookie.sameSite None and cookie.partitioned need cookie.secure: true.',
    )
  }
  if (!['Lax', 'Strict', 'None'].includes(sameSite)) {
    throw new SessionError('invalid-option', 'cookie.sameSite must be Lax, Strict or None.')
  }
  if (!/^[A-Za-z0-9][\w-]{0,63}$/.test(name)) {
    throw new SessionError(
      'invalid-option',
      'cookie.name takes letters, digits, _ and -; the prefix is added here.',
    )
  }
}
