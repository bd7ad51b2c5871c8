// The app of the end-to-end tests: a real server on loopback with the session middleware, a small API, the test
// page and two workers. Watches what reaches it.
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type SessionsOptions, createSessions, embed } from 'session-mirror/server'
import { type SessionRequest, sessionMiddleware } from 'session-mirror/node'
import { bundle, workerScript } from '../../scripts/build.ts'
import { isLong } from '../support/counts.ts'
import { sleep } from '../support/waiting.ts'
import { type Schema, schema } from './schema.ts'

export const secrets = ['an end-to-end secret of more than thirty-two characters']

export interface Seen {
  readonly method: string
  readonly path: string
  readonly site: string | undefined
  readonly cookie: string | undefined
  readonly referrer: string | undefined
  readonly epoch: string | undefined
}

export interface App {
  readonly origin: string
  /** Every request, oldest first. */
  readonly seen: Seen[]
  count(method: string, path: string): number
  /** Milliseconds by which a path's answers are held back. */
  readonly delays: Map<string, number>
  /** Holds a path's answers back until they are released. */
  hold(path: string): Held
  /** Gives the server other lifetimes from now on; store, secrets and cookies stay. */
  configure(changed: Partial<AppOptions>): void
  /** Breaks off each connection without an answer: a dead network, for every part of the browser alike. */
  isDead: boolean
  /** What is served under a path: a test may put another version there. */
  readonly assets: Record<string, string>
  /** Answers of somebody else under a path: a proxy, a wrong configuration, another program. */
  readonly others: Map<string, (request: IncomingMessage, response: ServerResponse) => void>
  /** Ends the server and starts another one on the same port: nothing in its memory survives. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface Held {
  /** Resolves when a request waits for its answer. */
  readonly arrived: Promise<void>
  /** How many wait now. */
  readonly waiting: number
  /** Lets those that wait, and all later ones, have their answers. */
  release(): void
}

export type AppOptions = Omit<SessionsOptions<Schema>, 'schema' | 'secrets'>

export async function startApp(options: AppOptions): Promise<App> {
  const assets = await createAssets()
  const seen: Seen[] = []
  const delays = new Map<string, number>()
  const others: App['others'] = new Map()
  const holds = new Map<string, Hold>()
  const state = { isDead: false }
  let settings = options
  let middleware = open()
  let server = await listen(0)
  const { port } = server.address() as AddressInfo

  function open(): ReturnType<typeof sessionMiddleware> {
    return sessionMiddleware(createSessions({ schema, secrets, onError: ignoreError, ...settings }))
  }

  function listen(onPort: number): Promise<Server> {
    const created = createServer((request, response) => void answer(request, response))
    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname
      const { headers, method = 'GET' } = request
      if (state.isDead) return void request.socket.destroy()
      seen.push({
        method,
        path,
        site: headers['sec-fetch-site'] as string | undefined,
        cookie: headers.cookie,
        referrer: headers.referer,
        epoch: headers['session-epoch'] as string | undefined,
      })
      await sleep(delays.get(path) ?? 0)
      await holds.get(path)?.pass()
      const other = others.get(path)
      if (other !== undefined) return other(request, response)
      if (path in assets) return serve(response, path, assets[path] ?? '')
      middleware(request, response, (error?: unknown) => {
        if (error !== undefined) return void response.writeHead(500).end(String(error))
        void api(request as SessionRequest<Schema>, response, path)
      })
    }
    created.listen(onPort, 'localhost')
    return once(created, 'listening').then(() => created)
  }

  async function stop(): Promise<void> {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  return {
    origin: `http://localhost:${port}`,
    seen,
    delays,
    assets,
    others,
    get isDead() {
      return state.isDead
    },
    set isDead(value) {
      state.isDead = value
    },
    count: (method, path) => seen.filter((entry) => entry.method === method && entry.path === path).length,
    hold(path) {
      const hold = new Hold()
      holds.set(path, hold)
      return hold
    },
    configure(changed) {
      settings = { ...settings, ...changed }
      middleware = open()
    },
    async restart() {
      await stop()
      middleware = open()
      server = await listen(port)
    },
    close: stop,
  }
}

class Hold implements Held {
  readonly #arrived = Promise.withResolvers<void>()
  readonly #released = Promise.withResolvers<void>()
  #waiting = 0

  get arrived(): Promise<void> {
    return this.#arrived.promise
  }

  get waiting(): number {
    return this.#waiting
  }

  async pass(): Promise<void> {
    this.#waiting++
    this.#arrived.resolve()
    await this.#released.promise
    this.#waiting--
  }

  release(): void {
    this.#released.resolve()
  }
}

async function api(request: SessionRequest<Schema>, response: ServerResponse, path: string): Promise<void> {
  const { session } = request
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams
  if (path === '/api/sign-in') {
    session.signIn(query.get('as') ?? '', { persistent: !query.has('public') })
    session.set('user', query.get('as') ?? '')
    // Stored, and told by the event stream, before the answer leaves.
    if (query.has('wait')) await session.save().then(() => sleep(Number(query.get('wait'))))
  } else if (path === '/api/order') session.update('orders', (orders) => orders + 1)
  else if (path === '/api/slow-save') {
    await sleep(Number(query.get('ms')))
    session.set('secret', String(Date.now()))
  } else if (path === '/rendered') {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    return void response.end(pageWith(embed(session)))
  } else if (path !== '/api/me') return void response.writeHead(404).end()
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      user: session.get('user') ?? null,
      owner: session.owner,
      visits: session.get('visits'),
      note: session.get('note'),
    }),
  )
}

function serve(response: ServerResponse, path: string, body: string): void {
  const type = path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8'
  response
    .writeHead(200, { 'content-type': type, 'cache-control': 'no-cache', 'service-worker-allowed': '/' })
    .end(body)
}

/** Some tests freeze or stop the store: without this the log would tell of it. */
const ignoreError = (): void => undefined

/** The scripts that were made in this process: they stay the same while it runs. */
const scripts = new Map<string, Promise<string>>()
function makeOnce(name: string, make: () => Promise<string>): Promise<string> {
  const script = scripts.get(name) ?? make()
  scripts.set(name, script)
  return script
}
const plain = (entry: string): Promise<string> =>
  makeOnce(entry, () => bundle(join(import.meta.dirname, entry), { minify: false }))

/** The page with `element` in its body. */
export function pageWith(element: string): string {
  return `<!doctype html><meta charset="utf-8"><title>test</title><body></body>${element}<script type="module" src="/page.js"></script>`
}

async function createAssets(): Promise<Record<string, string>> {
  const [worker, page, shell] = await Promise.all([
    makeOnce('worker', () => workerScript(isLong && 'terser')),
    plain('page.ts'),
    plain('../workers/shell-worker.ts'),
  ])
  return {
    '/': pageWith(''),
    '/plain': '<!doctype html><title>without the SDK</title>',
    '/page.js': page,
    '/session-worker.js': worker,
    '/shell-worker.js': shell,
  }
}
