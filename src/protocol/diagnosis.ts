// What a server says to a page that looks for mistakes: `GET <base>/diagnosis?probe=<token>`. Asked twice with one token:
// the first answer sets a cookie like the session's, the second says whether it came back.
import { SessionError } from './errors.ts'
import { isObject } from './json.ts'

export interface Diagnosis {
  /** Seconds since 1970, by the server's clock. */
  readonly at: number
  /** Whether the request came by https, as the server sees it through its proxies. */
  readonly secure: boolean
  /** How the session's cookie is set for this request. */
  readonly cookie: {
    readonly name: string
    readonly secure: boolean
    readonly sameSite: string
    readonly partitioned: boolean
  }
  /** Whether the probe of an earlier answer came back. */
  readonly probe: 'arrived' | 'missing'
  /** Whether a cookie of ours came that this server has signed. */
  readonly session: 'sent' | 'none'
}

/** @throws SessionError `malformed` */
export function parseDiagnosis(value: unknown): Diagnosis {
  if (!isObject(value) || typeof value['at'] !== 'number' || !isObject(value['cookie']))
    throw new SessionError('malformed', 'This is no answer of the diagnosis route.')
  return value as unknown as Diagnosis // For people to read: nothing is decided by it.
}
