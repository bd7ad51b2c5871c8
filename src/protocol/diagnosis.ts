// What a server says to a page that looks for mistakes: `GET <base>/diagnosis?probe=<token>`. The page asks twice with one
// token: the first answer sets a cookie like the session's, the second says whether that cookie came back.
import { SessionError } from './errors.ts'
import { isObject } from './json.ts'

/** How the server saw one request of the page. */
export interface Diagnosis {
  /** Seconds since 1970, by the server's clock. */
  readonly at: number
  /** Whether the request came by https, as the server sees it through its proxies. */
  readonly secure: boolean
  /** How the session's cookie is set for this request. */
  readonly cookie: DiagnosedCookie
  /** Whether the probe of an earlier answer came back. */
  readonly probe: 'arrived' | 'missing'
  /** Whether a session cookie came that this server has signed; `other`: one of its name that it has not signed. */
  readonly session: 'sent' | 'other' | 'none'
}

/** The attributes with which the session's cookie is set. */
export interface DiagnosedCookie {
  readonly name: string
  readonly secure: boolean
  readonly sameSite: string
  readonly partitioned: boolean
}

/**
 * The body of an answer of the diagnosis route.
 * @throws SessionError `malformed` when a member is missing or of another type
 */
export function parseDiagnosis(value: unknown): Diagnosis {
  if (!isObject(value)) throw malformed()
  const { at, secure, cookie, probe, session } = value
  if (typeof at !== 'number' || typeof secure !== 'boolean') throw malformed()
  if (probe !== 'arrived' && probe !== 'missing') throw malformed()
  if (session !== 'sent' && session !== 'other' && session !== 'none') throw malformed()
  return { at, secure, cookie: parseCookie(cookie), probe, session }
}

function parseCookie(value: unknown): DiagnosedCookie {
  if (!isObject(value)) throw malformed()
  const { name, secure, sameSite, partitioned } = value
  if (typeof name !== 'string' || typeof sameSite !== 'string') throw malformed()
  if (typeof secure !== 'boolean' || typeof partitioned !== 'boolean') throw malformed()
  return { name, secure, sameSite, partitioned }
}

function malformed(): SessionError {
  return new SessionError(
    'malformed',
    'This is not an answer of the diagnosis route: another version of the server, or another program, sent it.',
  )
}
