// Which requests the worker touches: a pure decision. Everything that it does not clearly own goes past it.

/** What the decision needs of a fetch event. */
export interface Intercepted {
  readonly url: string
  readonly mode: string
  /** Empty for a navigation, and for a client that the browser does not name. */
  readonly clientId: string
}

export interface InterceptOptions {
  /** Paths (`/api/`) and origins (`https://api.example`) that get the session attached. */
  readonly api: readonly string[]
  readonly origin: string
  /** The base of the session routes: the page's own business, and never held for a refresh. */
  readonly session: string
}

/**
 * `attach` for a listed request of a page, `pass` for all others. Must never be `attach` for a navigation:
 * a worker that rebuilds a cross-site form POST makes the server see a same-origin request with all cookies.
 * @example decideRequest({ url: 'https://shop.example/api/cart', mode: 'cors', clientId: 'x' }, { api: ['/api/'], origin: 'https://shop.example', session: '/session' }) // 'attach'
 */
export function decideRequest(
  { url, mode, clientId }: Intercepted,
  { api, origin, session }: InterceptOptions,
): 'attach' | 'pass' {
  // `no-cors` cannot carry our header, and its answer cannot be read.
  if (clientId === '' || (mode !== 'cors' && mode !== 'same-origin')) return 'pass'
  const target = new URL(url)
  const routes = new URL(session, origin).href
  if (target.href.startsWith(routes) && /^([/?]|$)/.test(target.href.slice(routes.length))) return 'pass'
  const isListed = api.some((entry) =>
    entry.startsWith('/')
      ? target.origin === origin && target.pathname.startsWith(entry)
      : target.origin === entry,
  )
  return isListed ? 'attach' : 'pass'
}

/** The same list as url patterns for the browser's static routes: what matches none needs no worker at all. */
export function patternsOf({ api, origin }: Omit<InterceptOptions, 'session'>): readonly string[] {
  return api.map((entry) => (entry.startsWith('/') ? `${origin}${entry}*` : `${entry}/*`))
}
