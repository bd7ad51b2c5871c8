// Every example of docs/adapters.md, as it stands there: short enough, and run behind real HTTP with a real browser's
// questions to it.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { client } from '../http.ts'

const root = join(import.meta.dirname, '../../..')
const text = readFileSync(join(root, 'docs/adapters.md'), 'utf8')
const examples = new Map(
  [...text.matchAll(/```ts\n\/\/ ([\w.-]+)\n([\s\S]*?)```/g)].map(([, file = '', code = '']) => [file, code]),
)

let memcached: Memcached
let folder: string
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  memcached = await startMemcached()
  process.env['MEMCACHED'] = memcached.address
  process.env['SESSION_SECRET'] = 'a secret of the examples that is long enough'
  const parent = join(root, 'node_modules/.cache')
  mkdirSync(parent, { recursive: true })
  // Below the project, so that `session-mirror` and the frameworks are found as a user's would be.
  folder = mkdtempSync(join(parent, 'adapters-'))
  for (const [file, code] of examples) writeFileSync(join(folder, file), code)
})
afterAll(async () => {
  for (const close of closing) await close()
  await memcached.kill()
  rmSync(folder, { recursive: true })
})

const load = (file: string): Promise<Record<string, never>> => import(/* @vite-ignore */ join(folder, file))

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Fetch = (request: Request) => Response | Promise<Response>

/** A fetch handler behind Node's server: nothing but a translation. */
function serve(handler: Fetch): Promise<string> {
  const server = createServer((incoming, outgoing) => {
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
  return listen(server)
}

const adapters: Readonly<Record<string, () => Promise<string>>> = {
  'http.ts': async () => listen((await load('http.ts'))['app'] as unknown as Server),
  'express.ts': async () => listen(createServer((await load('express.ts'))['app'] as never)),
  'fastify.ts': async () => {
    const app = (await load('fastify.ts'))['app'] as unknown as {
      listen(options: { port: number }): Promise<string>
      close(): Promise<void>
    }
    closing.push(() => app.close())
    return (await app.listen({ port: 0 })).replace('[::1]', '127.0.0.1')
  },
  'hono.ts': async () => {
    const app = (await load('hono.ts'))['app'] as unknown as { fetch: Fetch }
    return serve((request) => app.fetch(request))
  },
  'h3.ts': async () => serve(((await load('h3.ts'))['app'] as unknown as { fetch: Fetch }).fetch),
  'react-router.ts': async () => {
    type Route = (parameters: { request: Request; context: object }) => Promise<Response>
    const { withSessions, loader, action } = (await load('react-router.ts')) as unknown as {
      withSessions(handle: (request: Request, context: object) => Promise<Response>): Fetch
      loader: Route
      action: Route
    }
    // What its request handler does with one route, for loaders and actions.
    return serve(
      withSessions((request, context) => (request.method === 'GET' ? loader : action)({ request, context })),
    )
  },
  'next.ts': async () => {
    const route = (await load('next.ts')) as unknown as Record<string, Fetch>
    return serve((request) => route[request.method]?.(request) ?? new Response(null, { status: 405 }))
  },
}

test('each is at most fifteen lines, and each is tried here', () => {
  const long = [...examples]
    .filter(([, code]) => code.trimEnd().split('\n').length > 15)
    .map(([file]) => file)
  expect(long).toEqual([])
  expect([...examples.keys()].toSorted()).toEqual(
    [...Object.keys(adapters), 'session.ts', 'sessions.ts'].toSorted(),
  )
})

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1', 'content-type': 'application/json' }
interface Message {
  readonly epoch: string
  readonly owner: string
}

describe.each(Object.entries(adapters))('%s', (file) => {
  let origin = ''
  beforeAll(async () => {
    origin = (await adapters[file]?.()) ?? ''
  })

  test('signs in, reads, takes a write of the browser, and signs out for good', async () => {
    const { get, jar } = client(origin)
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

  test('a session that cannot be had is a problem, and nobody is signed out', async () => {
    const { get } = client(origin)
    await get('/sign-in', { method: 'POST', headers: own, body: '{}' })
    await memcached.freeze()
    try {
      const answer = await get('/')
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([503, 'no-store'])
      expect(answer.headers.getSetCookie()).toEqual([])
    } finally {
      memcached.thaw()
    }
    await expect.poll(async () => (await get('/')).text()).toBe('Hello mvl')
  })

  test('refuses what another site sent', async () => {
    const { get, jar } = client(origin)
    const headers = { ...own, 'sec-fetch-site': 'cross-site' }
    const answer = await get('/sign-in', { method: 'POST', headers, body: '{}' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([403, 'application/problem+json'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(jar.cookie).toBe('')
  })
})
