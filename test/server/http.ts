// Sessions behind real HTTP on loopback: a bare node:http app with the middleware, and a client with one cookie.
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'vitest'
import { memoryStore } from '../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../src/node.ts'
import { type Schema, createWorld, ignoreError, watchStore } from './harness.ts'

export type Handler = (request: SessionRequest<Schema>, response: ServerResponse) => unknown

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})

export async function listen(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A bare node:http app behind the middleware, and a client with one cookie. */
export async function start(handler: Handler, options: Parameters<typeof createWorld>[0] = {}) {
  const store = watchStore(options.store ?? memoryStore())
  const { sessions } = createWorld({
    onError: ignoreError,
    ...options,
    store,
    clock: options.clock ?? Date.now,
  })
  const middleware = sessionMiddleware(sessions)
  const errors: unknown[] = []
  const origin = await listen((request, response) => {
    void middleware(request, response, (error) => {
      if (error === undefined) void handler(request as SessionRequest<Schema>, response)
      else {
        errors.push(error)
        response.writeHead(500).end()
      }
    })
  })
  return { store, sessions, errors, origin, ...client(origin) }
}

export function client(origin: string) {
  const jar = { cookie: '' }
  async function get(path = '/', init: RequestInit = {}): Promise<Response> {
    const headers = { ...(jar.cookie === '' ? {} : { cookie: jar.cookie }), ...(init.headers as object) }
    const response = await fetch(origin + path, { ...init, headers })
    for (const line of response.headers.getSetCookie()) {
      if (line.startsWith('session=')) jar.cookie = line.split(';')[0] ?? ''
    }
    return response
  }
  return { jar, get }
}
