// Turns what the sources gave into the rows of each panel.
import type { MirrorInspection } from 'session-mirror'
import type { WorkerReport } from 'session-mirror/worker'
import type { Inspection as ServerInspection } from 'session-mirror/server'
import { schema } from '../schema.ts'
import type { session as Shop } from '../session.ts'
import type { Row } from './panel.ts'

type Local = MirrorInspection['local']

export interface ServerReport extends ServerInspection {
  /** The server's clock, in seconds. */
  readonly at: number
  readonly store: {
    readonly kind: string
    readonly description: string
    readonly canRestart: boolean
    readonly memcached: {
      readonly item: { readonly bytes: number; readonly ttlSeconds: number } | null
      readonly items: number
      readonly bytes: number
      readonly upSeconds: number
    } | null
  }
}

export interface WorkerReply {
  readonly state: string
  readonly report?: WorkerReport
}

const noAnswer: readonly Row[] = [
  { name: 'no answer', value: 'The server, or its store, cannot be reached.', tone: 'bad' },
]

export function memoryRows(session: typeof Shop): readonly Row[] {
  const { mirror } = session.inspect().local
  const pending = new Set(pendingKeys(session.inspect().local))
  const keys = ['user', 'stamps', 'theme', 'cart', 'note', 'visits'] as const
  return [
    { name: 'epoch', value: mirror.epoch ?? 'none yet' },
    { name: 'revision', value: String(mirror.revision) },
    ...keys.map((key): Row => ({
      name: key,
      value: JSON.stringify(session.get(key)) ?? 'not set',
      tone: pending.has(key) ? 'pending' : undefined,
    })),
  ]
}

export function outboxRows({ mirror, outbox, open, parcels }: Local): readonly Row[] {
  const sealed = outbox.sealed?.mutations ?? []
  return [
    ...(mirror.leaving === null
      ? []
      : [
          {
            name: 'first',
            value: 'tell the server about the end of a session',
            tone: 'pending',
          } as const,
        ]),
    ...sealed.map((mutation): Row => ({
      name: `sealed #${outbox.sealed?.number}`,
      value: describe(mutation),
      tone: 'pending',
    })),
    ...open.map(({ mutation }): Row => ({
      name: 'open',
      value: describe(mutation),
      tone: 'pending',
    })),
    ...parcels.map((parcel): Row => ({
      name: 'parked',
      value: parcel.iv === null ? 'anonymous changes' : 'encrypted, for their owner only',
    })),
  ]
}

export function workerRows({ state, report }: WorkerReply): readonly Row[] {
  if (report === undefined) {
    return [
      {
        name: 'state',
        value: state === 'none' ? 'no worker controls this page; the page does its work' : state,
      },
    ]
  }
  return [
    {
      name: 'state',
      value: report.isRetired ? 'retired: it passes everything by' : state,
      tone: report.isRetired ? 'bad' : 'good',
    },
    { name: 'running since', value: new Date(report.startedAt).toLocaleTimeString() },
    { name: 'requests attached', value: String(report.attached) },
    { name: 'sent again after a refresh', value: String(report.retried) },
  ]
}

export function cookieRows(report: ServerReport | undefined): readonly Row[] {
  if (report === undefined) return noAnswer
  const { state, ageSeconds, floor, expires, keyId } = report.cookie
  if (state === 'none') return [{ name: 'state', value: 'none: a cookie comes with the first change' }]
  const left = (expires ?? report.at) - report.at
  return [
    { name: 'state', value: state, tone: state === 'live' ? 'good' : 'bad' },
    { name: 'age', value: `${ageSeconds ?? 0} s` },
    { name: 'to be refreshed', value: left > 0 ? `in ${left} s` : `since ${-left} s` },
    { name: 'floor', value: `revision ${floor ?? 0}` },
    { name: 'signed by key', value: keyId ?? '' },
  ]
}

export function serverRows(report: ServerReport | undefined): readonly Row[] {
  if (report === undefined) return noAnswer
  const { record } = report
  if (record === null) return []
  return [
    { name: 'owner', value: record.owner ?? 'anonymous' },
    { name: 'epoch', value: record.epoch },
    { name: 'revision', value: String(record.revision) },
    { name: 'browsers', value: String(record.clients) },
    ...Object.entries(record.keys).map(([key, { revision, access }]): Row => ({
      name: key,
      value: `${access}, revision ${revision}`,
    })),
  ]
}

export function storeRows(report: ServerReport | undefined): readonly Row[] {
  if (report === undefined) return noAnswer
  const { description, memcached } = report.store
  const rows: Row[] = [{ name: 'store', value: description }]
  if (report.storeKey !== null) rows.push({ name: 'item', value: `${report.storeKey.slice(0, 16)}…` })
  if (memcached === null) return rows
  const { item, items, bytes, upSeconds } = memcached
  rows.push({
    name: 'item holds',
    value: item === null ? 'nothing' : `${item.bytes} bytes, for ${item.ttlSeconds} s more`,
  })
  rows.push({ name: 'in all', value: `${items} items, ${bytes} bytes, up ${upSeconds} s` })
  return rows
}

function pendingKeys({ outbox, open }: Local): string[] {
  return [...(outbox.sealed?.mutations ?? []), ...open.map((entry) => entry.mutation)].map(
    (mutation) => mutation.key,
  )
}

function describe(mutation: Local['open'][number]['mutation']): string {
  if (mutation.kind === 'increment') return `${mutation.key} += ${mutation.by}`
  return mutation.kind === 'remove'
    ? `delete ${mutation.key}`
    : `${mutation.key} = ${JSON.stringify(mutation.value)}`
}

/** The keys that the schema has and the browser never gets. They are listed so that nobody searches for them. */
export const hiddenKeys: readonly string[] = Object.entries(schema.keys)
  .filter(([, definition]) => definition.access === 'hidden')
  .map(([name]) => name)
