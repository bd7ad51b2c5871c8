// The session server of the browser tests: the real Node middleware inside vitest's own Vite server, so that the cookies are
// the page's. One for each name, `/backend/<name>/…`, with its own cookie, store and network.
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Plugin } from 'vite'
import { memoryStore } from '../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../src/node.ts'
import { createSessions } from '../../src/server.ts'
import { workerScript } from '../../scripts/build.ts'
import { type Schema, schema } from './schema.ts'
import { sleep } from '../support/waiting.ts'

/** What reached the server. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly site: string | undefined
  readonly epoch: string | undefined
  readonly hasCookie: boolean
  readonly body: string
}

/** What a test asks of its network: `isDead` breaks off each connection, or those to some paths; `delays` hold answers back. */
export interface Control {
  readonly isDead?: boolean | readonly string[]
  readonly delays?: Readonly<Record<string, number>>
  /** Seconds for which the cookies serve that are given from now on. @default 600, longer than any test takes */
  readonly freshSeconds?: number
}

export function testBackend(): Plugin {
  const named = new Map<string, ReturnType<typeof createBackend>>()
  return {
    name: 'test-backend',
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const [, name, path] = /^\/backend\/([\w-]+)(\/[^?]*)/.exec(request.url ?? '') ?? []
        if (name === undefined || path === undefined) return next()
        const backend = named.get(name) ?? createBackend(name)
        named.set(name, backend)
        void backend(request, response, path)
      })
    },
  }
}

function createBackend(name: string) {
  const base = `/backend/${name}`
  const store = memoryStore()
  const serve = (freshSeconds = 600): ReturnType<typeof sessionMiddleware> =>
    sessionMiddleware(
      createSessions({
        schema,
        secrets: ['a secret of the browser tests, which is long enough'],
        store,
        base: `${base}/session`,
        freshSeconds,
        rotateSeconds: 1,
        cookie: { name },
      }),
    )
  let middleware = serve()
  const seen: Seen[] = []
  let control: Control = {}

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (path === '/control') {
      const { freshSeconds: before } = control
      control = JSON.parse(await read(request)) as Control // The tests write it.
      if (control.freshSeconds !== before) middleware = serve(control.freshSeconds)
      return void response.end()
    }
    if (path === '/seen') return json(response, seen)
    if (path === '/tab') return html(response)
    if (path.endsWith('.js')) return script(response, await scriptOf(path))
    if (path === '/cookies') return json(response, request.headers.cookie ?? '')
    if (path === '/cookie')
      return setProbe(response, new URL(request.url ?? '', 'http://localhost').searchParams)
    const { isDead = false } = control
    if (isDead === true || (isDead !== false && isDead.includes(path))) return void request.socket.destroy()
    const { headers, method = 'GET' } = request
    const body = path.startsWith('/api/') ? await read(request) : ''
    seen.push({
      method,
      path,
      site: headers['sec-fetch-site'] as string | undefined,
      epoch: headers['session-epoch'] as string | undefined,
      hasCookie: headers.cookie?.includes(`${name}=`) === true,
      body,
    })
    await sleep(control.delays?.[path] ?? 0)
    middleware(request, response, (error?: unknown) => {
      if (error !== undefined) return void response.writeHead(500).end(String(error))
      api(request as SessionRequest<Schema>, response, { path, body }) // The middleware made it one.
    })
  }
  return answer
}

function api(
  { session, url = '' }: SessionRequest<Schema>,
  response: ServerResponse,
  { path, body }: { readonly path: string; readonly body: string },
): void {
  if (path === '/api/sign-in') {
    const owner = new URL(url, 'http://localhost').searchParams.get('as') ?? ''
    session.signIn(owner)
    session.set('user', owner)
  } else if (path === '/api/visit') session.increment('visits', 1)
  else if (path === '/plain') return json(response, {})
  json(response, { owner: session.owner, visits: session.get('visits'), note: session.get('note'), body })
}

/** The ready-made worker, or one of an app that answers some requests itself. */
async function scriptOf(path: string): Promise<string> {
  if (path === '/features-worker.js')
    return readFileSync(join(import.meta.dirname, 'features-worker.js'), 'utf8')
  const ready = await workerScript()
  return path === '/own-worker.js'
    ? `${ready}\naddEventListener('fetch', (event) => { if (event.request.url.endsWith('/of-the-worker')) event.respondWith(new Response('mine')) })`
    : ready
}

/** A cookie of the kind that is asked for, at once or late. */
async function setProbe(response: ServerResponse, query: URLSearchParams): Promise<void> {
  const kind = query.get('kind') ?? ''
  await sleep(query.has('slow') ? 500 : 0)
  const name = kind === 'host-http' ? '__Host-Http-probe-host-http' : `probe-${kind}`
  const secure = kind === 'secure' || kind === 'host-http' ? '; Secure' : ''
  response.setHeader('set-cookie', `${name}=1; Path=/; HttpOnly; Max-Age=60${secure}`)
  json(response, null)
}

function script(response: ServerResponse, text: string): void {
  const fields = {
    'content-type': 'text/javascript',
    'cache-control': 'no-cache',
    'service-worker-allowed': '/',
  }
  response.writeHead(200, fields).end(text)
}

/** A second page of the app: Vite makes its script. */
function html(response: ServerResponse): void {
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end('<!doctype html><title>tab</title><script type="module" src="/test/browser/tab.ts"></script>')
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
