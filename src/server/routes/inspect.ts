// What the cookie of a request and the store say about its session, for a developer's eyes. Names, ages and
// sizes: never a session id, a cookie or a value.
import { type Core, now } from '../core/core.ts'
import { refusal } from '../core/refusal.ts'
import { cookiesOf } from '../lifecycle/load.ts'
import { chooseCookie, judge } from '../lifecycle/loaded.ts'
import { locate } from '../lifecycle/locate.ts'
import type { SessionRecord } from '../codec/record.ts'
import { type CoreRequest } from '../http/request.ts'
import { type Access, definitionOf } from '../../protocol/schema.ts'

/**
 * How a cookie's session was found: `none` without a cookie of ours, `stale` for a cookie that must be
 * refreshed first, or why the session is over.
 */
export type InspectedState =
  | 'none'
  | 'live'
  | 'stale'
  | 'expired'
  | 'ended'
  | 'lost'
  | 'reuse'
  | 'ambiguous-cookie'

/** What `sessions.inspect` found out about a request's session. Times are seconds since 1970. */
export interface Inspection {
  /** What the cookie says. All but `state` are null without a cookie of ours. */
  readonly cookie: {
    readonly state: InspectedState
    /** The short name of the secret that signed it; null without a cookie, as are all of these. */
    readonly keyId: string | null
    readonly floor: number | null
    /** Seconds since 1970. */
    readonly issued: number | null
    readonly expires: number | null
    readonly ageSeconds: number | null
  }
  /**
   * The key of the session's item in the store, for a look with the store's own tools; null when there is none.
   */
  readonly storeKey: string | null
  /** What the store has; null when there is no live session. */
  readonly record: InspectedRecord | null
}

/** The stored session, without its values. */
export interface InspectedRecord {
  /** The public name of this life of the session. */
  readonly epoch: string
  /** Counts the commits. */
  readonly revision: number
  /** Who is signed in; null for an anonymous session. */
  readonly owner: string | null
  /** When the session began, in seconds since 1970. */
  readonly created: number
  /** Its absolute end, in seconds since 1970. */
  readonly expires: number
  /** Size of the stored item. */
  readonly bytes: number
  /** Browsers that are remembered so that each batch of theirs is applied once. */
  readonly clients: number
  /** The keys that are set, with the revision that last changed each and what a browser may do with it. */
  readonly keys: Readonly<Record<string, { readonly revision: number; readonly access: Access }>>
}

const noCookie = { keyId: null, floor: null, issued: null, expires: null, ageSeconds: null }

/** @throws SessionError `ambiguous-cookie`, `store-unavailable` */
export async function inspect(core: Core, request: CoreRequest): Promise<Inspection> {
  const [first, ...others] = cookiesOf(core, request)
  if (first === undefined) return { cookie: { state: 'none', ...noCookie }, storeKey: null, record: null }
  const choice = await chooseCookie(core, [first, ...others])
  if (choice.kind === 'rivals') throw refusal('ambiguous-cookie')
  const { cookie } = choice
  const { sid, ...told } = cookie
  const place = core.findPlace(sid)
  const found = place && (await locate(core, place))
  const reason = found === undefined ? 'lost' : judge(core, cookie, found)
  const state = reason ?? (now(core) >= cookie.expires ? 'stale' : 'live')
  return {
    cookie: { state, ...told, ageSeconds: now(core) - cookie.issued },
    storeKey: found?.places.at(-1)?.key ?? null,
    record: found?.state === 'live' ? describe(core, found.record, found.bytes) : null,
  }
}

function describe(core: Core, record: SessionRecord, bytes: number): InspectedRecord {
  const { epoch, revision, owner, created, expires, clients } = record
  const keys = Object.entries(record.keys).map(([name, [changed]]) => {
    const access = definitionOf(core.schema, name)?.access ?? 'hidden'
    return [name, { revision: changed, access }] as const
  })
  return {
    epoch,
    revision,
    owner,
    created,
    expires,
    bytes,
    clients: clients.length,
    keys: Object.fromEntries(keys),
  }
}
