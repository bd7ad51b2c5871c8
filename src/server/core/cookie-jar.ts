// How the cookie is set: its name and attributes for one request. They are the same when it is cleared.
import { cookieValues, looksLikeCookie } from '../codec/cookie.ts'
import type { CoreRequest } from '../http/request.ts'
import { invalidOption } from './refusal.ts'

/** The options for the session cookie. It is always HttpOnly, with Path=/. */
export interface CookieOptions {
  /**
   * Whether the cookie is Secure. `auto`: yes, unless the request is plain http to a loopback host, or to one of
   * `insecureHosts`.
   * @default 'auto'
   */
  readonly secure?: boolean | 'auto'
  /**
   * Other hosts that are served by plain http, for development in a local network: each as the browser's address bar shows
   * it, with its port (`'192.168.1.20:3000'`). Everybody in that network can read and copy the cookie. @default []
   */
  readonly insecureHosts?: readonly string[]
  /** The attribute SameSite. `None` needs Secure; give it together with `partitioned`. @default 'Lax' */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /** Whether the browser keeps a cookie of its own for each top-level site. Needs Secure. @default false */
  readonly partitioned?: boolean
  /**
   * Whether the cookie outlives the browser. `signIn(owner, { persistent })` says it for one session.
   * @default true
   */
  readonly persistent?: boolean
  /** Letters, digits, `_` and `-`. Where it is Secure, the prefix goes before it. @default 'session' */
  readonly name?: string
  /**
   * What goes before the name of a Secure cookie. `none` is for hosts that let no other name through, such as Firebase Hosting
   * with `__session`. What is given up: a script of the page, or a page of another subdomain, can then put a cookie of its own
   * in the place of ours, and so sign the browser in to the attacker's session (docs/security.md). @default '__Host-Http-'
   */
  readonly prefix?: '__Host-Http-' | 'none'
}

/** How the cookie is set and cleared for a request. */
export interface CookieJar {
  /** The cookie's name: a Secure one has the prefix, unless the app wants none. */
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
  /** Whether plain http will do for this host: a loopback host, or one of `insecureHosts`. */
  isPlainHost(host: string): boolean
  /**
   * Whether a page of https has sent a request for which the cookie would not be Secure: a proxy that ends TLS, of which
   * nobody has told us.
   */
  isBehindUnknownProxy(request: CoreRequest): boolean
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
  const { sameSite = 'Lax', partitioned = false, name = 'session', prefix = '__Host-Http-' } = options
  const { insecureHosts = [] } = options
  const secure = partitioned || sameSite === 'None' ? (options.secure ?? true) : (options.secure ?? 'auto')
  const all = { secure, sameSite, partitioned, name, prefix, insecureHosts }
  check(all)
  return new AttributedJar(all, Math.min(maxAgeSeconds, maxAgeLimitSeconds))
}

class AttributedJar implements CookieJar {
  readonly #options: AllOptions
  readonly #maxAge: number
  readonly #plainHosts: readonly string[]
  /** The name where the cookie is Secure. */
  readonly #secureName: string

  constructor(options: AllOptions, maxAge: number) {
    const { prefix, name, insecureHosts } = options
    this.#options = options
    this.#maxAge = maxAge
    this.#plainHosts = insecureHosts.map((host) => host.toLowerCase())
    // A script of a page can push a `__Host-` cookie out of the jar and plant its own. With `__Host-Http-` it cannot.
    this.#secureName = prefix === 'none' ? name : prefix + name
  }

  nameFor(request: CoreRequest): string {
    return this.isSecure(request) ? this.#secureName : this.#options.name
  }

  isSecure(request: CoreRequest): boolean {
    const { secure } = this.#options
    return secure === 'auto'
      ? request.secure || !this.isPlainHost(request.host) || isForwarded(request)
      : secure
  }

  isPlainHost(host: string): boolean {
    return isLoopback(host) || (this.#plainHosts.length > 0 && this.#plainHosts.includes(host.toLowerCase()))
  }

  isBehindUnknownProxy(request: CoreRequest): boolean {
    if (this.#options.secure !== 'auto' || this.isSecure(request)) return false
    if (request.header('sec-fetch-site') !== 'same-origin') return false
    const page = request.header('origin') ?? request.header('referer')
    return page?.startsWith('https:') === true
  }

  line(request: CoreRequest, value: string, isPersistent: boolean): string {
    // Without Max-Age and Expires a browser forgets the cookie when it is closed.
    return this.#line(request, value, isPersistent ? this.#maxAge : undefined)
  }

  clearing(request: CoreRequest): readonly string[] {
    return [...this.#clearingTwin(request), ...this.#clearingPlain(request), this.#line(request, '', 0)]
  }

  clearingOthers(request: CoreRequest): readonly string[] {
    const count = cookieValues(request.header('cookie') ?? '', this.nameFor(request)).length
    return [...(count > 1 ? this.#clearingTwin(request) : []), ...this.#clearingPlain(request)]
  }

  probe(request: CoreRequest, token: string, isSet: boolean): string {
    return this.#withAttributes(request, `${this.nameFor(request)}-probe-${token}=${isSet ? '1' : ''}`, {
      age: isSet ? 60 : 0,
      isPartitioned: this.#options.partitioned,
    })
  }

  describe(request: CoreRequest): ReturnType<CookieJar['describe']> {
    const { sameSite, partitioned } = this.#options
    return { name: this.nameFor(request), secure: this.isSecure(request), sameSite, partitioned }
  }

  #line(request: CoreRequest, value: string, age: number | undefined): string {
    const isPartitioned = this.#options.partitioned
    return this.#withAttributes(request, `${this.nameFor(request)}=${value}`, { age, isPartitioned })
  }

  /** To a browser these are two cookies (CHIPS); without Secure there is no partitioned one. */
  #clearingTwin(request: CoreRequest): readonly string[] {
    if (!this.isSecure(request)) return []
    const isPartitioned = !this.#options.partitioned
    return [this.#withAttributes(request, `${this.nameFor(request)}=`, { age: 0, isPartitioned })]
  }

  /** From a time when this host was served by plain http. Another app may use the name: only what looks like ours goes. */
  #clearingPlain(request: CoreRequest): readonly string[] {
    const { name } = this.#options
    if (this.#secureName === name || !this.isSecure(request)) return []
    const header = request.header('cookie') ?? ''
    // Looked for as cheaply as can be: this is asked for every cookie that is set.
    if (!header.startsWith(`${name}=`) && !header.includes(` ${name}=`)) return []
    if (!cookieValues(header, name).some(looksLikeCookie)) return []
    return [this.#withAttributes(request, `${name}=`, { age: 0, isPartitioned: false })]
  }

  #withAttributes(
    request: CoreRequest,
    pair: string,
    { age, isPartitioned }: { readonly age: number | undefined; readonly isPartitioned: boolean },
  ): string {
    const parts = [
      pair,
      'Path=/',
      ...(age === undefined ? [] : [`Max-Age=${age}`]),
      'HttpOnly',
      `SameSite=${this.#options.sameSite}`,
      ...(this.isSecure(request) ? ['Secure'] : []),
      ...(isPartitioned ? ['Partitioned'] : []),
    ]
    return parts.join('; ')
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

type AllOptions = Required<Omit<CookieOptions, 'persistent'>>

function check({ secure, sameSite, partitioned, name, prefix, insecureHosts }: AllOptions): void {
  if (secure !== true && (sameSite === 'None' || partitioned)) {
    throw invalidOption('cookie.sameSite None and cookie.partitioned need cookie.secure: true.')
  }
  if (!['Lax', 'Strict', 'None'].includes(sameSite)) {
    throw invalidOption(`cookie.sameSite must be Lax, Strict or None, not ${JSON.stringify(sameSite)}.`)
  }
  for (const host of insecureHosts) checkPlainHost(host, secure)
  if (prefix === 'none' && /^\w[\w-]{0,63}$/.test(name) && !/^__(?:host|secure|http)-/i.test(name)) return
  if (name === '__session') {
    throw invalidOption(
      "cookie.name '__session' cannot have the prefix __Host-Http-. Where a host lets no other name through, add prefix: 'none'; docs/security.md says what that gives up.",
    )
  }
  if (!/^[A-Za-z0-9][\w-]{0,63}$/.test(name)) {
    throw invalidOption(
      `cookie.name takes up to 64 letters, digits, _ and -, and gets its prefix here: not ${JSON.stringify(name)}.`,
    )
  }
}

/** A host as the address bar shows it: a name or an address, and a port unless it is 80. */
function checkPlainHost(host: string, secure: boolean | 'auto'): void {
  if (!/^(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/i.test(host)) {
    throw invalidOption(
      `cookie.insecureHosts takes hosts such as '192.168.1.20:3000', without http:// and without a path: not ${JSON.stringify(host)}.`,
    )
  }
  if (secure !== 'auto')
    throw invalidOption("cookie.insecureHosts has a meaning only with cookie.secure: 'auto', the default.")
}
