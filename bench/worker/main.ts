// Measures what a service worker costs a request in real Chromium: without a worker, with one that passes everything on, and
// with ours; for a listed request and for another one. All take turns for many rounds, and each is compared with the first
// one of its own round.
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Page, chromium } from 'playwright'
import { bundle, workerScript } from '../../scripts/build.ts'
import { memoryStore } from '../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../src/node.ts'
import { defineSession, readable } from '../../src/schema.ts'
import { createSessions } from '../../src/server.ts'
import { chromiumArguments, chromiumPath as executablePath } from '../../test/support/chromium.ts'
import { median } from '../rounds.ts'

const rounds = Number(process.env['ROUNDS'] ?? 30)
const requests = 40
const schema = defineSession({ user: readable<string>() })
const sessions = createSessions({
  schema,
  secrets: ['a secret of the benchmark, in no way a secret'],
  store: memoryStore(),
})
const middleware = sessionMiddleware(sessions)

/** Answers every request with what the network says. Every worker with a fetch handler costs at least this. */
const passing = `addEventListener('install', () => skipWaiting())
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))`

const files: Record<string, readonly [type: string, body: string]> = {
  '/': ['text/html', '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>'],
  '/page.js': ['text/javascript', await bundle(join(import.meta.dirname, 'page.ts'), { minify: true })],
  '/passing.js': ['text/javascript', passing],
  '/session-worker.js': ['text/javascript', await workerScript('terser')],
}

const server = createServer((request, response) => answer(request, response)).listen(0, 'localhost')
await once(server, 'listening')
const origin = `http://localhost:${(server.address() as AddressInfo).port}`

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [path = '/'] = (request.url ?? '/').split('?')
  // Isolated pages have clocks of five microseconds, others of a hundred.
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-embedder-policy', 'require-corp')
  const file = files[path]
  if (file !== undefined) return void response.writeHead(200, { 'content-type': file[0] }).end(file[1])
  if (path === '/plain') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  middleware(request, response, () => {
    const { session } = request as SessionRequest<typeof schema>
    if (path === '/api/sign-in') session.signIn('ada')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ owner: session.owner }))
  })
}

const browser = await chromium.launch({ executablePath, args: chromiumArguments })
const contestants = ['no worker', 'a worker that passes on', 'session-mirror'] as const
type Name = (typeof contestants)[number]
const query: Record<Name, string> = {
  'no worker': '?worker=none',
  'a worker that passes on': '?worker=/passing.js',
  'session-mirror': '?worker=/session-worker.js',
}

/** Opens each page in its own context, signed in and controlled by its worker. */
async function open(name: Name): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  await page.goto(origin + query[name])
  await page.waitForFunction(() => window.ready)
  return page
}

const timed = (page: Page, path: string): Promise<number> =>
  page.evaluate(([url, count]) => window.time(url, count), [path, requests] as const)

async function measure(path: string): Promise<string> {
  const pages = new Map<Name, Page>()
  // oxlint-disable-next-line no-await-in-loop -- three
  for (const name of contestants) pages.set(name, await open(name))
  const times = new Map<Name, number[]>(contestants.map((name) => [name, []]))
  for (let round = -2; round < rounds; round++) {
    for (const [name, page] of pages) {
      // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
      const milliseconds = await timed(page, path)
      // The first rounds only warm up.
      if (round >= 0) times.get(name)?.push(milliseconds)
    }
  }
  for (const page of pages.values()) await page.context().close()
  const of = (name: Name): number[] => times.get(name) ?? []
  const against = (name: Name, other: Name): string =>
    median(of(name).map((value, round) => value / (of(other)[round] ?? Number.NaN))).toFixed(2)
  return contestants
    .map(
      (name) =>
        `| ${path}, ${name} | ${median(of(name)).toFixed(2)} | ${against(name, 'no worker')} | ${against(name, 'a worker that passes on')} |`,
    )
    .join('\n')
}

console.log(
  `| ${requests} requests one after another, ${rounds} rounds | ms each | to no worker | to passing on |\n|---|---|---|---|`,
)
console.log(await measure('/api/me'))
console.log(await measure('/plain'))
await browser.close()
server.closeAllConnections()
server.close()
