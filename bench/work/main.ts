// What the most expensive request of each route costs: processor time, and that time for each byte that came. Nothing may
// cost much more than its size explains, or one request would make others wait. The session is as large as one may be.
//
// npm run bench -- work
import { createHash } from 'node:crypto'
import { memoryStore } from '../../src/memory.ts'
import { defineSession, writable } from '../../src/schema.ts'
import { type CoreRequest, createSessions } from '../../src/server.ts'
import { median } from '../rounds.ts'

const rounds = Number(process.env['ROUNDS'] ?? 9)
const secret = createHash('sha256').update('bench').digest('base64')
const large = 'x'.repeat(235_000)

const schema = defineSession({
  list: writable<readonly string[]>({
    default: [],
    policy: { merge: (_base, mine, theirs) => [...new Set([...(theirs ?? []), ...mine])] },
  }),
  note: writable<string>({ default: '' }),
  count: writable.counter(),
})
const sessions = createSessions({ schema, secrets: [secret], store: memoryStore() })

interface Attempt {
  readonly method: string
  readonly url: string
  readonly body?: string
  readonly cookie: string
}

function toRequest({ method, url, body = '', cookie }: Attempt): CoreRequest {
  const headers: Readonly<Record<string, string>> = {
    'content-type': 'application/json',
    'sec-fetch-site': 'same-origin',
    'session-mirror': '1',
    ...(cookie === '' ? {} : { cookie }),
  }
  return {
    method,
    url,
    secure: false,
    host: 'localhost',
    header: (name) => headers[name],
    body: async () => body,
  }
}

let number = 0
function batchOf(mutations: readonly object[]): string {
  number++
  const named = mutations.map((mutation, index) => ({ id: `mutation-${number}-${index}`, ...mutation }))
  return JSON.stringify({ client: 'client-of-bench', number, mutations: named })
}
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const sync = (epoch: string | null, owner: string | null, mutations: readonly object[]): string =>
  JSON.stringify({ epoch, owner, since: 0, batch: batchOf(mutations) })

/** A browser with a session that is full. */
async function begin(): Promise<{ readonly cookie: string; readonly epoch: string }> {
  const body = sync(null, null, [{ kind: 'set', key: 'list', value: [large] }])
  const answer = await sessions.handle(toRequest({ method: 'POST', url: '/session/sync', body, cookie: '' }))
  const [, line = ''] = answer?.headers.find(([name]) => name === 'set-cookie') ?? []
  const { epoch } = JSON.parse(String(answer?.body)) as { readonly epoch: string }
  return { cookie: line.split(';')[0] ?? '', epoch }
}

const { cookie, epoch } = await begin()
const junk = times(
  400,
  (index) =>
    `session=v1.${'A'.repeat(6)}.${'B'.repeat(37)}${index % 10}.00000000000.0000000.0000000.${'C'.repeat(43)}`,
).join('; ')
const stale = { epoch, revision: 0, value: [] }
const deep = '['.repeat(20_000)

/** A batch of this browser, in its session. */
const batch = (mutations: readonly object[]): Attempt => ({
  method: 'POST',
  url: '/session/sync',
  cookie,
  body: sync(epoch, null, mutations),
})

const attempts: Readonly<Record<string, () => Attempt>> = {
  'GET /session, everything': () => ({ method: 'GET', url: '/session', cookie }),
  'GET /session, 400 forged cookies': () => ({ method: 'GET', url: '/session', cookie: junk }),
  'POST /session/sync, one key': () => batch([{ kind: 'set', key: 'note', value: 'x' }]),
  'POST /session/sync, one merge of 235 kB': () =>
    batch([{ kind: 'set', key: 'list', value: ['y'], base: stale }]),
  'POST /session/sync, 200 merges of 235 kB (refused)': () =>
    batch(times(200, () => ({ kind: 'set', key: 'list', value: ['y'], base: stale }))),
  'POST /session/sync, 200 increments': () =>
    batch(times(200, () => ({ kind: 'increment', key: 'count', by: 1 }))),
  'POST /session/sync, 200 sets of one key': () =>
    batch(times(200, (index) => ({ kind: 'set', key: 'note', value: `x${index}` }))),
  'POST /session/sync, brackets 20,000 deep (refused)': () => ({
    method: 'POST',
    url: '/session/sync',
    cookie,
    body: deep,
  }),
  'POST /session/refresh': () => ({
    method: 'POST',
    url: '/session/refresh',
    cookie,
    body: JSON.stringify({ epoch, owner: null, since: 0 }),
  }),
  'GET /session/diagnosis': () => ({
    method: 'GET',
    url: '/session/diagnosis?probe=AAAAbbbbCCCCdddd',
    cookie,
  }),
}

function sizeOf({ url, body = '', cookie: sent }: Attempt): number {
  return url.length + body.length + sent.length
}

const rows: {
  readonly name: string
  readonly bytes: number
  readonly milliseconds: number
  readonly status: number
}[] = []
for (const [name, make] of Object.entries(attempts)) {
  const taken: number[] = []
  let status = 0
  let bytes = 0
  for (let round = -2; round < rounds; round++) {
    const attempt = make()
    bytes = sizeOf(attempt)
    const before = process.cpuUsage()
    // oxlint-disable-next-line no-await-in-loop -- one after another is the point
    const answer = await sessions.handle(toRequest(attempt))
    const { user, system } = process.cpuUsage(before)
    status = answer?.status ?? 0
    // The first rounds only warm up.
    if (round >= 0) taken.push((user + system) / 1000)
  }
  rows.push({ name, bytes, milliseconds: median(taken), status })
}

console.log(
  '| request, with a session of 235 kB | status | bytes that came | ms of CPU | µs for each byte |\n|---|---|---|---|---|',
)
for (const { name, bytes, milliseconds, status } of rows.toSorted((a, b) => b.milliseconds - a.milliseconds))
  console.log(
    `| ${name} | ${status} | ${bytes.toLocaleString('en')} | ${milliseconds.toFixed(2)} | ${((milliseconds * 1000) / bytes).toFixed(2)} |`,
  )
