// The list of requests that get the session attached, as page and worker are both given it. An entry is a prefix: a path of this
// origin (`/api/`), or another origin (`https://api.example`). With "!" before it, what begins like this is left out again.
import { SessionError } from '../../protocol/errors.ts'

/** Where the list holds. */
export interface ApiPlace {
  /** The origin of the pages. */
  readonly origin: string
  /** The base of the session routes, which are never on the list. */
  readonly session: string
}

/** The prefixes as whole urls. */
export interface ApiList {
  readonly listed: readonly string[]
  readonly leftOut: readonly string[]
}

/**
 * @throws SessionError `invalid-option` for an entry that can match nothing
 * @example readApiList(['/api/', '!/api/upload/'], { origin: 'https://shop.example', session: '/session' })
 */
export function readApiList(api: readonly string[], { origin, session }: ApiPlace): ApiList {
  const routes = new URL(session, origin).href
  const toPrefix = (entry: string, text = entry): string => {
    const prefix = prefixOf(text, origin, text !== entry)
    if (prefix === undefined || `${prefix}/`.startsWith(`${routes}/`)) throw useless(entry)
    return prefix
  }
  const listed = api.filter((entry) => !isLeftOut(entry)).map((entry) => toPrefix(entry))
  const leftOut = api.filter(isLeftOut).map((entry) => {
    const prefix = toPrefix(entry, entry.slice(1))
    if (!listed.some((other) => prefix.startsWith(other))) throw useless(entry)
    return prefix
  })
  return { listed, leftOut }
}

function isLeftOut(entry: string): boolean {
  return String(entry).startsWith('!')
}

function useless(entry: string): SessionError {
  return new SessionError(
    'invalid-option',
    `api: "${entry}" can match nothing. Write a path as "/api/", another origin as "https://api.example", and what is left out of them as "!/api/upload/".`,
  )
}

/** Whether the session is attached to a request to `url`. */
export function isOnList({ listed, leftOut }: ApiList, url: string): boolean {
  const begins = (prefix: string): boolean => url.startsWith(prefix)
  return listed.some(begins) && !leftOut.some(begins)
}

/** Undefined for what no url of a request ever begins with: what the browser writes in another way, patterns, queries. */
function prefixOf(entry: unknown, origin: string, hasPath: boolean): string | undefined {
  if (typeof entry !== 'string' || /[?#*,\s]/.test(entry)) return undefined
  try {
    const { href, protocol } = new URL(entry, origin)
    const isPath = href === origin + entry
    const isOrigin = href === `${entry}/` || (hasPath && href === entry)
    return (isPath && entry.startsWith('/')) || (isOrigin && protocol.startsWith('http')) ? href : undefined
  } catch {
    return undefined
  }
}
