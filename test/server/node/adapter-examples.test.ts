// Every example of docs/adapters.md, as it stands there: short enough, and run behind real HTTP with a real browser's
// questions to it.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test as base, vi } from 'vitest'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { client } from '../http.ts'

const root = join(import.meta.dirname, '../../..')
const text = readFileSync(join(root, 'docs/adapters.md'), 'utf8')
const examples = new Map(
  [...text.matchAll(/```ts\n\/\/ ([\w.-]+)\n([\s\S]*?)```/g)].map(([, file = '', code = '']) => [file, code]),
)

/** A file of the examples, run, and what serves it until the test file is over. */
interface Example {
  load(): Promise<Record<string, never>>
  /** @returns the server's origin */
  listen(server: Server): Promise<string>
  onClose(close: () => Promise<unknown>): void
}

const test = base
  .extend('memcached', { scope: 'file' }, async ({}, { onCleanup }): Promise<Memcached> => {
    const memcached = await startMemcached()
    onCleanup(() => memcached.kill())
    return memcached
  })
  .extend('folder', { scope: 'file' }, ({ memcached }, { onCleanup }): string => {
    process.env['MEMCACHED'] = memcached.address
    process.env['SESSION_SECRET'] = 'a secret of the examples that is long enough'
    const parent = join(root, 'node_modules/.cache')
    mkdirSync(parent, { recursive: true })
    // Below the project, so that `session-mirror` and the frameworks are found as a user's would be.
    const folder = mkdtempSync(join(parent, 'adapters-'))
    onCleanup(() => rmSync(folder, { recursive: true }))
    for (const [file, code] of examples) writeFileSync(join(folder, file), code)
    return folder
  })
  /** Gives the origin of the server that the example in this file makes; each is started once. */
  .extend('originOf', { scope: 'file' }, ({ folder }, { onCleanup }): ((file: string) => Promise<string>) => {
    const closing: (() => Promise<unknown>)[] = []
    onCleanup(async () => {
      for (const close of closing) await close()
    })
    const onClose = (close: () => Promise<unknown>): void => void closing.push(close)
    const listen = async (server: Server): Promise<string> => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      onClose(async () => {
        server.closeAllConnections()
        server.close()
      })
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }
    const origins = new Map<string, Promise<string>>()
    return (file) => {
      const load = (): Promise<Record<string, never>> => import(/* @vite-ignore */ join(folder, file))
      const origin = origins.get(file) ?? adapters[file]?.({ load, listen, onClose })
      if (origin === undefined) throw new Error(`There is no adapter ${file}.`)
      origins.set(file, origin)
      return origin
    }
  })

type Fetch = (request: Request) => Response | Promise<Response>

/** A fetch handler behind Node's server: nothing but a translation. */
function serverOf(handler: Fetch): Server {
  return createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => void answer())
    async function answer(): Promise<void> {
      const { method = 'GET', url = '/', headers } = incoming
      const body = method === 'GET' || method === 'HEAD' ? undefined : Buffer.concat(chunks)
      const init = {
        method,
        headers: headers as Record<string, string>,
        ...(body === undefined ? {} : { body }),
      }
      const response = await handler(new Request(`http://${headers.host}${url}`, init))
      outgoing.writeHead(response.status, [...response.headers].flat())
      outgoing.end(Buffer.from(await response.arrayBuffer()))
    }
  })
}

const adapters: Readonly<Record<string, (example: Example) => Promise<string>>> = {
  'http.ts': async ({ load, listen }) => listen((await load())['app'] as unknown as Server),
  'express.ts': async ({ load, listen }) => listen(createServer((await load())['app'] as never)),
  'fastify.ts': async ({ load, onClose }) => {
    const app = (await load())['app'] as unknown as {
      listen(options: { port: number }): Promise<string>
      close(): Promise<void>
    }
    onClose(() => app.close())
    return (await app.listen({ port: 0 })).replace('[::1]', '127.0.0.1')
  },
  'hono.ts': async ({ load, listen }) => {
    const app = (await load())['app'] as unknown as { fetch: Fetch }
    return listen(serverOf((request) => app.fetch(request)))
  },
  'h3.ts': async ({ load, listen }) =>
    listen(serverOf(((await load())['app'] as unknown as { fetch: Fetch }).fetch)),
  'react-router.ts': async ({ load, listen }) => {
    type Route = (parameters: { request: Request; context: object }) => Promise<Response>
    const { withSessions, loader, action } = (await load()) as unknown as {
      withSessions(handle: (request: Request, context: object) => Promise<Response>): Fetch
      loader: Route
      action: Route
    }
    // What its request handler does with one route, for loaders and actions.
    return listen(
      serverOf(
        withSessions((request, context) =>
          (request.method === 'GET' ? loader : action)({ request, context }),
        ),
      ),
    )
  },
  'next.ts': async ({ load, listen }) => {
    const route = (await load()) as unknown as Record<string, Fetch>
    return listen(
      serverOf((request) => route[request.method]?.(request) ?? new Response(null, { status: 405 })),
    )
  },
}

test('each example is at most fifteen lines, and each is tried here', () => {
  const long = [...examples]
    .filter(([, code]) => code.trimEnd().split('\n').length > 15)
    .map(([file]) => file)
  expect(long).toEqual([])
  expect([...examples.keys()].toSorted()).toEqual(
    [...Object.keys(adapters), 'session.ts', 'sessions.ts', 'websocket.ts'].toSorted(),
  )
})

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1', 'content-type': 'application/json' }
interface Message {
  readonly epoch: string
  readonly owner: string
}

describe.each(Object.entries(adapters))('%s', (file) => {
  test('an app signs in, reads, takes a write of the browser, and signs out for good', async ({
    originOf,
  }) => {
    const { get, jar } = client(await originOf(file))
    expect(await (await get('/')).text()).toBe('Hello stranger')
    expect(jar.cookie).toBe('')
    const signedIn = await get('/sign-in', { method: 'POST', headers: own, body: '{}' })
    expect([signedIn.status, await signedIn.text()]).toEqual([200, 'Hello mvl'])
    expect(signedIn.headers.getSetCookie()).toHaveLength(1)
    expect(signedIn.headers.get('session-revision')).toMatch(/^[\w-]+\.1$/)
    const read = await get('/')
    expect(await read.text()).toBe('Hello mvl')
    expect([read.headers.get('cache-control'), read.headers.get('vary')]).toEqual(['no-store', 'Cookie'])

    const { epoch, owner } = (await (await get('/session')).json()) as Message
    const mutations = [{ id: 'mutation-1', kind: 'set', key: 'theme', value: 'dark' }]
    const batch = JSON.stringify({ client: 'client-of-test', number: 1, mutations })
    const body = JSON.stringify({ epoch, owner, since: 0, batch })
    const synced = await get('/session/sync', { method: 'POST', headers: own, body })
    expect(await synced.json()).toMatchObject({ outcomes: [{ code: 'ok' }], keys: { theme: [2, 'dark'] } })

    const { cookie } = jar
    expect((await get('/session', { method: 'DELETE', headers: own })).status).toBe(200)
    jar.cookie = cookie
    expect(await (await get('/')).text()).toBe('Hello stranger')
    expect((await get('/session')).status).toBe(401)
  })

  test('a session that cannot be had is a problem, and nobody is signed out', async ({
    memcached,
    originOf,
  }) => {
    const { get } = client(await originOf(file))
    await get('/sign-in', { method: 'POST', headers: own, body: '{}' })
    // Said once, by the first of them.
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    await memcached.freeze()
    try {
      const answer = await get('/')
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([503, 'no-store'])
      expect(answer.headers.getSetCookie()).toEqual([])
    } finally {
      memcached.thaw()
      log.mockRestore()
    }
    await expect.poll(async () => (await get('/')).text()).toBe('Hello mvl')
  })

  test('an app refuses what another site sent', async ({ originOf }) => {
    const { get, jar } = client(await originOf(file))
    const headers = { ...own, 'sec-fetch-site': 'cross-site' }
    const answer = await get('/sign-in', { method: 'POST', headers, body: '{}' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([403, 'application/problem+json'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(jar.cookie).toBe('')
  })
})

describe('websocket.ts', () => {
  /** The part of the package `ws` that is used; it has no types of its own. */
  interface Socket {
    on(name: 'open' | 'error', listener: () => void): void
    on(name: 'close', listener: (code: number) => void): void
  }
  type SocketClass = new (url: string, options: { headers: Record<string, string> }) => Socket

  /** Resolves when it is open, and with false when it was refused; `closed` is the code it was closed with. */
  async function connectTo(url: string, headers: Record<string, string>) {
    const name = 'ws'
    const { WebSocket } = (await import(/* @vite-ignore */ name)) as { WebSocket: SocketClass }
    const socket = new WebSocket(url, { headers })
    const closed = new Promise<number>((resolve) => socket.on('close', resolve))
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('open', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    return { isOpen, closed }
  }

  test('a thousand sockets of a session are told at its sign-out, and another session’s is not', async ({
    originOf,
    folder,
  }) => {
    const origin = await originOf('http.ts')
    await import(/* @vite-ignore */ join(folder, 'websocket.ts'))
    const [one, other] = [client(origin), client(origin)]
    for (const { get } of [one, other]) await get('/sign-in', { method: 'POST', headers: own, body: '{}' })
    const url = origin.replace('http', 'ws')
    const connect = ({ jar }: typeof one) => connectTo(url, { cookie: jar.cookie, origin })
    const sockets: Awaited<ReturnType<typeof connect>>[] = []
    // A busy machine may not answer so many at once in time: as a browser would, what was refused tries again.
    while (sockets.length < 1000) {
      const some = await Promise.all(
        Array.from({ length: Math.min(100, 1000 - sockets.length) }, () => connect(one)),
      )
      sockets.push(...some.filter(({ isOpen }) => isOpen))
    }
    const bystander = await connect(other)
    expect(bystander.isOpen).toBe(true)
    expect((await one.get('/session', { method: 'DELETE', headers: own })).status).toBe(200)
    const codes = await Promise.all(sockets.map(({ closed }) => closed))
    expect(codes.filter((code) => code === 4401)).toHaveLength(1000)
    await other.get('/session', { method: 'DELETE', headers: own })
    expect(await bystander.closed).toBe(4401)
  })

  test('a handshake of another site, and one without a session, are refused', async ({
    originOf,
    folder,
  }) => {
    const origin = await originOf('http.ts')
    await import(/* @vite-ignore */ join(folder, 'websocket.ts'))
    const { get, jar } = client(origin)
    await get('/sign-in', { method: 'POST', headers: own, body: '{}' })
    const url = origin.replace('http', 'ws')
    const refused = [
      await connectTo(url, { cookie: jar.cookie, origin: 'https://other.example' }),
      await connectTo(url, { origin }),
    ]
    expect(refused.map(({ isOpen }) => isOpen)).toEqual([false, false])
  })
})
