// What the cookie of a request and the store say about its session, for a developer's eyes. Names, ages and
// sizes: never a session id, a cookie or a value.
import { type Core, now } from '../core/core.ts'
import { cookieOf } from '../lifecycle/load.ts'
import { judge } from '../lifecycle/loaded.ts'
import { locate } from '../lifecycle/locate.ts'
import type { SessionRecord } from '../codec/record.ts'
import { type CoreRequest } from '../http/request.ts'
import { type Access, definitionOf } from '../../protocol/schema.ts'

export type InspectedState = 'none' | 'live' | 'stale' | 'expired' | 'ended' | 'lost' | 'reuse'

export interface Inspection {
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
  readonly storeKey: string | null
  readonly record: InspectedRecord | null
}

export interface InspectedRecord {
  readonly epoch: string
  readonly revision: number
  readonly owner: string | null
  readonly created: number
  readonly expires: number
  readonly bytes: number
  readonly clients: number
  readonly keys: Readonly<Record<string, { readonly revision: number; readonly access: Access }>>
}

const noCookie = { keyId: null, floor: null, issued: null, expires: null, ageSeconds: null }

/** @throws SessionError `ambiguous-cookie`, `store-unavailable` */
export async function inspect(core: Core, request: CoreRequest): Promise<Inspection> {
  const cookie = cookieOf(core, request)
  if (cookie === undefined) return { cookie: { state: 'none', ...noCookie }, storeKey: null, record: null }
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
