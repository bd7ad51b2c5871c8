// Runs the same script with Workbox's background sync and with session-mirror: it writes one change after another and ends
// the worker while they are being sent. Then it compares the accepted changes with those that the server has.
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Page, chromium } from 'playwright'
import { bundle, workerScript } from '../../scripts/build.ts'
import { memoryStore } from '../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../src/node.ts'
import { defineSession, writable } from '../../src/schema.ts'
import { createSessions } from '../../src/server.ts'
import { chromiumArguments, chromiumPath as executablePath } from '../../test/support/chromium.ts'

const rounds = Number(process.env['ROUNDS'] ?? 300)
const after = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
const schema = defineSession({ visits: writable.counter() })
const sessions = createSessions({
  schema,
  secrets: ['a secret of the benchmark, in no way a secret'],
  store: memoryStore(),
})
const middleware = sessionMiddleware(sessions)
const counted = new Map<string, number>()
let delay = 0

const page = (await bundle(join(import.meta.dirname, 'page.ts'), { minify: true })).replaceAll(
  '</script',
  '<\\/script',
)
const files: Record<string, readonly [type: string, body: string]> = {
  '/': ['text/html', '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>'],
  '/page.js': ['text/javascript', page],
  '/empty': ['text/html', '<!doctype html><title>bench</title>'],
  '/session-worker.js': ['text/javascript', await workerScript('terser')],
  '/workbox.js': [
    'text/javascript',
    await bundle(join(import.meta.dirname, 'workbox-worker.ts'), { minify: true, format: 'iife' }),
  ],
}

const server = createServer((request, response) => void answer(request, response)).listen(0, 'localhost')
await once(server, 'listening')
const origin = `http://localhost:${(server.address() as AddressInfo).port}`

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', origin)
  const file = files[pathname]
  if (file !== undefined) return void response.writeHead(200, { 'content-type': file[0] }).end(file[1])
  // The way to a server takes time. A request that is cut off on the way never arrives.
  await after(delay)
  if (request.socket.destroyed) return
  const id = searchParams.get('id')
  if (id !== null) counted.set(id, (counted.get(id) ?? 0) + 1)
  middleware(request, response, () => {
    const { session } = request as SessionRequest<typeof schema>
    response.end(JSON.stringify({ visits: session.get('visits') }))
  })
}

const browser = await chromium.launch({ executablePath, args: chromiumArguments })

async function stopWorkers(of: Page): Promise<void> {
  const cdp = await of.context().newCDPSession(of)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  await cdp.detach()
}

async function killWhileSending(of: Page, write: (round: number) => Promise<unknown>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    delay = (round % 3) * 20
    // oxlint-disable-next-line no-await-in-loop -- one after another
    await write(round)
    // oxlint-disable-next-line no-await-in-loop -- a moment later, each time another one
    await after((round % 16) * 2)
    // oxlint-disable-next-line no-await-in-loop -- one after another
    await stopWorkers(of)
  }
  delay = 0
}

async function workbox(): Promise<string> {
  const context = await browser.newContext()
  const tab = await context.newPage()
  await tab.goto(`${origin}/empty`)
  await tab.evaluate(async () => {
    await navigator.serviceWorker.register('/workbox.js')
    await navigator.serviceWorker.ready
  })
  await tab.waitForFunction(() => navigator.serviceWorker.controller !== null)
  const ask = (id?: string): Promise<number> =>
    tab.evaluate(async (pushed) => {
      const { port1, port2 } = new MessageChannel()
      const { active } = await navigator.serviceWorker.ready
      const answered = new Promise<number>((resolve) =>
        port1.addEventListener('message', ({ data }) => resolve(Number(data))),
      )
      port1.start()
      active?.postMessage(pushed === undefined ? {} : { id: pushed }, [port2])
      return answered
    }, id)
  await killWhileSending(tab, (round) => ask(`w${round}`))
  for (let attempt = 0; attempt < 50 && (await ask()) > 0; attempt++) await after(100)
  await after(500)
  const arrived = [...counted].filter(([id]) => id.startsWith('w'))
  const doubled = arrived.filter(([, times]) => times > 1).length
  await context.close()
  return `| workbox-background-sync 7.4.1 | ${rounds} | ${rounds - arrived.length} | ${doubled} |`
}

async function ours(): Promise<string> {
  const context = await browser.newContext()
  const tab = await context.newPage()
  await tab.goto(origin)
  await tab.waitForFunction(() => window.ready)
  await tab.waitForFunction(() => navigator.serviceWorker.controller !== null)
  await killWhileSending(tab, () => tab.evaluate(() => window.write()))
  await tab.waitForFunction(() => window.pending() === 0)
  const { visits } = await tab.evaluate(() => fetch('/api/visits').then((response) => response.json()))
  await context.close()
  return `| session-mirror | ${rounds} | ${Math.max(0, rounds - visits)} | ${Math.max(0, visits - rounds)} |`
}

console.log('| worker ended while sending | accepted | lost | doubled |\n|---|---|---|---|')
console.log(await workbox())
console.log(await ours())
await browser.close()
server.closeAllConnections()
server.close()
