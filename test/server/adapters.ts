// One small app behind every adapter: node:http, Express, Fastify, Hono, h3, and `sessions.route` as React Router and
// Next call it. Each is set up as docs/adapters.md says.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { H3 } from 'h3'
import { Hono } from 'hono'
import { sessionPlugin } from '../../src/fastify.ts'
import { type SessionRequest, sessionErrors, sessionMiddleware } from '../../src/node.ts'
import type { ServerSession, Sessions } from '../../src/server.ts'
import type { Schema } from './harness.ts'

export interface AppReply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The app itself: what it answers to a path, or throws. */
export type App = (path: string, session: ServerSession<Schema>) => AppReply | Promise<AppReply>

export interface AdapterServer {
  readonly origin: string
  close(): Promise<void>
}

export type Adapter = (sessions: Sessions<Schema>, app: App) => Promise<AdapterServer>

type Listener = Parameters<typeof createServer>[1]

async function listen(listener: Listener): Promise<AdapterServer> {
  const server = createServer(listener as never).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A fetch handler behind Node's server. What it throws is answered as frameworks do: 500. */
function serve(handler: (request: Request) => Response | Promise<Response>): Promise<AdapterServer> {
  return listen((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      answer().catch(() => outgoing.writeHead(500).end())
    })
    async function answer(): Promise<void> {
      const { method = 'GET', url = '/', headers } = incoming
      const hasBody = method !== 'GET' && method !== 'HEAD'
      const init = { method, headers: headers as Record<string, string> }
      const request = new Request(`http://${headers.host}${url}`, {
        ...init,
        ...(hasBody ? { body: Buffer.concat(chunks) } : {}),
      })
      const response = await handler(request)
      outgoing.writeHead(response.status, [...response.headers].flat())
      for await (const piece of response.body ?? []) outgoing.write(piece)
      outgoing.end()
    }
  })
}

const pathOf = (request: Request): string => new URL(request.url).pathname

const toResponse = ({ status = 200, headers = {}, body = '' }: AppReply): Response =>
  new Response(body, { status, headers })

/** The status that an error says, as http-errors and HTTPException have it. */
const statusOf = (error: unknown): number => (error as { status?: number } | undefined)?.status ?? 500

export const adapters: Readonly<Record<string, Adapter>> = {
  'node:http': (sessions, app) => {
    const middleware = sessionMiddleware(sessions)
    return listen((request, response) => {
      void middleware(request, response, () => {
        const { session } = request as SessionRequest<Schema>
        const run = async (): Promise<void> => {
          const { status = 200, headers = {}, body } = await app(request.url ?? '/', session)
          response.writeHead(status, headers).end(body)
        }
        run().catch((error: unknown) => {
          // As docs/adapters.md says for errors of the app's own.
          session.revert()
          response.writeHead(statusOf(error)).end()
        })
      })
    })
  },
  Express: (sessions, app) => {
    const server = express().use(sessionMiddleware(sessions))
    server.all('/{*path}', (request, response, next) => {
      const { session } = request as unknown as SessionRequest<Schema>
      const run = async (): Promise<void> => {
        try {
          const { status = 200, headers = {}, body } = await app(request.path, session)
          response.status(status).set(headers).send(body)
        } catch (error) {
          next(error)
        }
      }
      void run()
    })
    // Express' own last handler would print it.
    server.use(sessionErrors).use(((error, _request, response, _next) => {
      response.status(statusOf(error)).end()
    }) as express.ErrorRequestHandler)
    return listen(server)
  },
  Fastify: async (sessions, app) => {
    const server = fastify()
    await server.register(sessionPlugin(sessions))
    server.all('/*', async (request, reply) => {
      const { session } = request as unknown as { session: ServerSession<Schema> }
      const { status = 200, headers = {}, body } = await app(request.url, session)
      return reply.code(status).headers(headers).send(body)
    })
    return { origin: await server.listen({ host: '127.0.0.1', port: 0 }), close: () => server.close() }
  },
  Hono: (sessions, app) => {
    const server = new Hono<{ Variables: { session: ServerSession<Schema> } }>()
    server.use(async (c, next) => {
      const answer = await sessions.route(async (_request, session) => {
        c.set('session', session)
        await next()
        if (c.error !== undefined) session.revert()
        return c.res
      })(c.req.raw)
      c.res = undefined
      c.res = answer
    })
    server.onError((error, c) => c.body(null, statusOf(error) as 500))
    server.all('*', async (c) => toResponse(await app(c.req.path, c.get('session'))))
    return serve((request) => server.fetch(request))
  },
  h3: (sessions, app) => {
    const sessionOf = (event: { context: object }) =>
      (event.context as { session: ServerSession<Schema> }).session
    const server = new H3({ silent: true, onError: (_error, event) => sessionOf(event).revert() })
    server.all('/**', async (event) => toResponse(await app(event.url.pathname, sessionOf(event))))
    return serve(sessions.route((request, session) => server.request(request, undefined, { session })))
  },
  'React Router': (sessions, app) => {
    type Context = { session: ServerSession<Schema> }
    // As its request handler answers: what a loader throws is a 500.
    const handle = async (request: Request, { session }: Context): Promise<Response> => {
      try {
        return toResponse(await app(pathOf(request), session))
      } catch {
        return new Response('Unexpected Server Error', { status: 500 })
      }
    }
    return serve(sessions.route((request, session) => handle(request, { session })))
  },
  'sessions.route': (sessions, app) =>
    serve(sessions.route(async (request, session) => toResponse(await app(pathOf(request), session)))),
}
