// Compares the mirror in real Chromium with raw IndexedDB and with other libraries that keep a document on disk and show it
// at once: opening, writing, telling the other tab. All take turns for many rounds, and each is compared with the floor of
// its own round.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright'
import { bundle } from '../../scripts/build.ts'
import { memoryStore } from '../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../src/node.ts'
import { createSessions } from '../../src/server.ts'
import { chromiumArguments, chromiumPath as executablePath } from '../../test/support/chromium.ts'
import { median } from '../rounds.ts'
import { ballast } from './contestant.ts'
import { schema } from './schema.ts'

const rounds = Number(process.env['ROUNDS'] ?? 20)
const writes = 20
const names = {
  raw: 'raw idb (the floor)',
  ours: 'session-mirror',
  query: 'TanStack Query, persisted',
  dexie: 'Dexie',
  replicache: 'Replicache',
}
type Name = keyof typeof names
const all = Object.keys(names) as Name[] // Written just above.

const scripts = new Map<string, string>()
for (const name of all) {
  // oxlint-disable-next-line no-await-in-loop -- five
  scripts.set(name, await bundle(join(import.meta.dirname, `${name}.ts`), { minify: true }))
}

const sessions = createSessions({
  schema,
  secrets: ['a secret of the benchmark, in no way a secret'],
  store: memoryStore(),
})
const middleware = sessionMiddleware(sessions)
const server = createServer((request, response) => {
  const [name = ''] = (request.url ?? '').slice(1).split('?')
  // Isolated pages have clocks of five microseconds, others of a hundred.
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-embedder-policy', 'require-corp')
  const script = scripts.get(name.replace('.js', ''))
  if (script !== undefined && name.endsWith('.js')) {
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    return
  }
  if (scripts.has(name)) {
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><title>bench</title><script type="module" src="/${name}.js"></script>`)
    return
  }
  middleware(request, response, () => {
    const { session } = request as SessionRequest<typeof schema>
    if (request.url === '/fill') session.set('ballast', ballast)
    response.end()
  })
}).listen(0, 'localhost')
await once(server, 'listening')
const origin = `http://localhost:${(server.address() as AddressInfo).port}`

const browser = await chromium.launch({ executablePath, args: chromiumArguments })
const context = await browser.newContext()

async function open(name: Name, query = '') {
  const page = await context.newPage()
  await page.goto(`${origin}/${name}${query}`)
  await page.waitForFunction(() => window.booted !== undefined)
  return page
}

interface Measured {
  boot: number
  visible: number
  stored: number
  other: number[]
}

async function measure(name: Name, round: number): Promise<Measured> {
  const [a, b] = [await open(name), await open(name)]
  const boot = (await a.evaluate(() => window.booted)) ?? Number.NaN
  const times = await a.evaluate(
    async ([count, prefix]) => {
      const result: { visible: number; stored: number; note: string; at: number }[] = []
      for (let index = 0; index < count; index++) {
        const note = `${prefix} ${index}`
        const at = performance.timeOrigin + performance.now()
        const started = performance.now()
        const kept = window.bench.write(note)
        if (window.bench.shown() !== note) throw new Error('not visible at once')
        const visible = performance.now() - started
        await kept
        result.push({ visible, stored: performance.now() - started, note, at })
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      return result
    },
    [writes, `${name} ${round}`] as const,
  )
  const last = times.at(-1)?.note ?? ''
  const hears = await a.evaluate(() => window.bench.onChange !== undefined)
  if (hears) await b.waitForFunction((note) => window.seen[note] !== undefined, last)
  const seen = await b.evaluate(() => window.seen)
  const other = times.flatMap(({ note, at }) => (seen[note] === undefined ? [] : [seen[note] - at]))
  // Replicache says "stored" when the note is in memory, so it gets time to write it to the disk.
  if (name === 'replicache') await a.waitForTimeout(1500)
  await a.close()
  await b.close()
  const again = await open(name)
  const first = await again.evaluate(() => window.first)
  await again.close()
  if (first !== last)
    throw new Error(`${names[name]} was told ${last}, and had ${String(first)} after a reload.`)
  return {
    boot,
    visible: median(times.map((time) => time.visible)),
    stored: median(times.map((time) => time.stored)),
    other,
  }
}

const results = new Map<Name, Measured[]>(all.map((name) => [name, []]))
const filling = await open('ours', '?fill')
await filling.evaluate(() => fetch('/fill', { method: 'POST' }))
await filling.reload()
await filling.waitForFunction(() => window.booted !== undefined)
await filling.waitForTimeout(500)
await filling.close()
for (let round = -1; round < rounds; round++) {
  for (const name of all) {
    // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
    const measured = await measure(name, round)
    if (round >= 0) results.get(name)?.push(measured)
  }
}

const floor = results.get('raw') ?? []
const ratio = (name: Name, of: 'boot' | 'stored'): string =>
  median((results.get(name) ?? []).map((one, index) => one[of] / (floor[index]?.[of] ?? Number.NaN))).toFixed(
    2,
  )
const lines = all.map((name) => {
  const own = results.get(name) ?? []
  const other = own.flatMap((one) => one.other).toSorted((a, b) => a - b)
  const told =
    other.length === 0
      ? 'no'
      : `${median(other).toFixed(1)} (${other[Math.floor(other.length * 0.95)]?.toFixed(1)})`
  const boot = `${median(own.map((one) => one.boot)).toFixed(1)} (${ratio(name, 'boot')})`
  const stored = `${median(own.map((one) => one.stored)).toFixed(2)} (${ratio(name, 'stored')})`
  const visible = median(own.map((one) => one.visible)).toFixed(3)
  const bytes = (gzipSync(scripts.get(name) ?? '').length / 1000).toFixed(1)
  return `| ${names[name]} | ${boot} | ${visible} | ${stored} | ${told} | ${bytes} |`
})
console.log(
  [
    '| | boot, ms (to the floor) | visible, ms | stored, ms (to the floor) | in the other tab, ms: median (p95) | kB |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n'),
)
await browser.close()
server.closeAllConnections()
server.close()
