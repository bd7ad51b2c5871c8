// The servers that are compared: a hand-written floor, session-mirror with each adapter, and other libraries. Each is the
// same app (scenario.ts) in the shortest form that the library's documentation shows.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'
import type { Store as MirrorStore } from '../../src/stores/store.ts'
import { createFloorApp } from './floor.ts'
import { type Start, greeting, profile, routes } from './scenario.ts'

type Create = (start: Start) => Promise<Server>
const secret = 'a secret of the benchmark, with many different characters 0123456789'

let owners = process.pid * 1000

/** In the order of the tables. The others are compared with the first. */
export const contestants: Readonly<Record<string, Create>> = {
  'floor + memcached': ({ memcached }) => Promise.resolve(createFloorApp(memcached)),
  'session-mirror, node:http + memcached': async (start) => onNode(start, await memcachedOf(start)),
  'session-mirror, node:http + memory': async (start) => onNode(start, await memoryOf(start)),
  'session-mirror, Express + memcached': onExpress,
  'session-mirror, Fastify + memcached': onFastify,
  'express-session, node:http + connect-memcached': expressSession,
  '@fastify/session + memcached': fastifySession,
}

/** A module of the checkout that is measured. */
function load<T>({ root }: Start, path: string): Promise<T> {
  return import(join(root, path)) as Promise<T> // Every checkout has the same doors.
}

async function memcachedOf(start: Start): Promise<MirrorStore> {
  const { memcachedStore } = await load<typeof import('../../src/memcached.ts')>(start, 'src/memcached.ts')
  // Long, because the machine may be busy and the deadline is not measured.
  return memcachedStore({ servers: start.memcached, timeoutMilliseconds: 5000 })
}

async function memoryOf(start: Start): Promise<MirrorStore> {
  const { memoryStore } = await load<typeof import('../../src/memory.ts')>(start, 'src/memory.ts')
  return memoryStore()
}

async function sessionsOf(start: Start, store: MirrorStore) {
  const { createSessions } = await load<typeof import('../../src/server.ts')>(start, 'src/server.ts')
  const { defineSession, hidden } = await load<typeof import('../../src/schema.ts')>(start, 'src/schema.ts')
  const schema = defineSession({
    profile: hidden<Record<string, string>>(),
    count: hidden<number>(),
  })
  return createSessions({ schema, secrets: [secret], store })
}
type Session = Awaited<ReturnType<Awaited<ReturnType<typeof sessionsOf>>['load']>>

async function onNode(start: Start, store: MirrorStore): Promise<Server> {
  const sessions = await sessionsOf(start, store)
  const { sessionMiddleware } = await load<typeof import('../../src/node.ts')>(start, 'src/node.ts')
  const withSession = sessionMiddleware(sessions)
  return createServer((request, response) => {
    void withSession(request, response, () => {
      const { session } = request as IncomingMessage & { session: Session }
      response.end(act(request, session))
    })
  })
}

/** The app with our session. */
function act({ url }: { readonly url?: string | undefined }, session: Session): string {
  if (url === routes.signIn) {
    // An owner has a hundred sessions at most.
    session.signIn(`user ${owners++}`)
    session.set('profile', profile)
    return 'welcome'
  }
  if (url === routes.write) {
    session.set('count', Math.random())
    return 'written'
  }
  return greeting(session.get('profile'))
}

async function onExpress(start: Start): Promise<Server> {
  const { default: express } = await import('express')
  const sessions = await sessionsOf(start, await memcachedOf(start))
  const { sessionMiddleware } = await load<typeof import('../../src/node.ts')>(start, 'src/node.ts')
  const app = express()
  app.use(sessionMiddleware(sessions))
  app.use((request, response) => {
    response.type('text').send(act(request, (request as unknown as { session: Session }).session))
  })
  return createServer(app)
}

async function onFastify(start: Start): Promise<Server> {
  const { fastify } = await import('fastify')
  const sessions = await sessionsOf(start, await memcachedOf(start))
  const { sessionPlugin } = await load<typeof import('../../src/fastify.ts')>(start, 'src/fastify.ts')
  const app = fastify()
  await app.register(sessionPlugin(sessions))
  app.all('/*', (request, reply) =>
    reply.send(act({ url: request.url }, (request as unknown as { session: Session }).session)),
  )
  await app.ready()
  return app.server
}

async function expressSession({ memcached }: Start): Promise<Server> {
  const { default: session } = await import('express-session')
  const { default: connect } = await import('connect-memcached')
  const MemcachedStore = connect(session)
  const middleware = session({
    secret,
    store: new MemcachedStore({ hosts: [memcached] }),
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax' },
  })
  return createServer((request, response) => {
    middleware(request, response, () => {
      answerPeer(request, response, (request as unknown as { session: PeerSession }).session)
    })
  })
}

interface PeerSession {
  profile?: Record<string, string>
  count?: number
}

/** The same app with the session object of another library. */
function actPeer({ url }: { readonly url?: string | undefined }, session: PeerSession): string {
  if (url === routes.signIn) {
    session.profile = profile
    return 'welcome'
  }
  if (url === routes.write) {
    session.count = Math.random()
    return 'written'
  }
  return greeting(session.profile)
}

function answerPeer(request: IncomingMessage, response: ServerResponse, session: PeerSession): void {
  response.end(actPeer(request, session))
}

async function fastifySession({ memcached }: Start): Promise<Server> {
  const { fastify } = await import('fastify')
  const { default: cookie } = await import('@fastify/cookie')
  const { default: plugin } = await import('@fastify/session')
  const { default: session } = await import('express-session')
  const { default: connect } = await import('connect-memcached')
  const MemcachedStore = connect(session)
  const app = fastify()
  await app.register(cookie)
  await app.register(plugin, {
    secret,
    store: new MemcachedStore({ hosts: [memcached] }),
    rolling: false,
    saveUninitialized: false,
    cookie: { secure: false },
  })
  app.all('/*', (request, reply) =>
    reply.send(actPeer({ url: request.url }, (request as unknown as { session: PeerSession }).session)),
  )
  await app.ready()
  return app.server
}
