// Which requests the worker touches: a pure decision. Everything that it does not clearly own goes past it.
import { type ApiList, isOnList } from '../mirror/wire/api-list.ts'

/** What the decision needs of a fetch event. */
export interface Intercepted {
  readonly url: string
  readonly mode: string
  /** Empty for a navigation, and for a client that the browser does not name. */
  readonly clientId: string
}

export interface InterceptOptions {
  readonly list: ApiList
  /** The whole url of the session routes' base: the page's own business, and never held for a refresh. */
  readonly routes: string
}

/**
 * `attach` for a listed request of a page, `pass` for all others. Must never be `attach` for a navigation:
 * a worker that rebuilds a cross-site form POST makes the server see a same-origin request with all cookies.
 * @example decideRequest({ url: 'https://shop.example/api/cart', mode: 'cors', clientId: 'x' }, { list, routes: 'https://shop.example/session' }) // 'attach'
 */
export function decideRequest(
  { url, mode, clientId }: Intercepted,
  { list, routes }: InterceptOptions,
): 'attach' | 'pass' {
  // `no-cors` cannot carry our header, and its answer cannot be read.
  if (clientId === '' || (mode !== 'cors' && mode !== 'same-origin')) return 'pass'
  if (url.startsWith(routes) && /^([/?]|$)/.test(url.slice(routes.length))) return 'pass'
  return isOnList(list, url) ? 'attach' : 'pass'
}

/** Url patterns (URLPattern standard, section 2) of what begins like `prefixes`: the browser's static routes take those. */
export function patternsOf(prefixes: readonly string[]): readonly string[] {
  return prefixes.map((prefix) => {
    const { origin, pathname } = new URL(prefix)
    return `${origin}${pathname.replaceAll(/[^\w./~%-]/g, String.raw`\$&`)}*`
  })
}
