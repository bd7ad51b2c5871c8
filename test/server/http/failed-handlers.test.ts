// What a request keeps when it fails: nothing that was not saved explicitly, with each adapter. What frameworks throw to
// answer is an answer.
import { describe, expect, test as base } from 'vitest'
import express from 'express'
import fastify from 'fastify'
import { sessionPlugin } from '../../../src/fastify.ts'
import { memoryStore } from '../../../src/memory.ts'
import { type SessionRequest, sessionErrors, sessionMiddleware } from '../../../src/node.ts'
import { SessionError, type ServerSession, type Sessions } from '../../../src/server.ts'
import { type AdapterServer, type App, adapters } from '../adapters.ts'
import { type Schema, createWorld } from '../harness.ts'
import { client, listen } from '../http.ts'

interface Stage extends ReturnType<typeof client> {
  readonly sessions: Sessions<Schema>
}

const test = base.extend<{ serve: (adapter: string, app: App) => Promise<Stage> }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its pattern
  serve: async ({}, use) => {
    const servers: AdapterServer[] = []
    await use(async (adapter, app) => {
      const { sessions } = createWorld({ store: memoryStore(), clock: Date.now })
      const server = await adapters[adapter]?.(sessions, app)
      if (server === undefined) throw new Error(`There is no adapter ${adapter}.`)
      servers.push(server)
      return { ...client(server.origin), sessions }
    })
    for (const server of servers) await server.close()
  },
})

const post = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }

const app: App = async (path, session) => {
  if (path === '/me') return { body: `${session.owner} ${session.get('visits')}` }
  if (path === '/in') {
    session.signIn('alice')
    return {}
  }
  if (path.startsWith('/first')) {
    session.signIn('bob')
    if (path === '/first/saved') await session.save()
  } else session.increment('visits')
  await Promise.resolve()
  if (path.endsWith('/teapot')) throw Object.assign(new Error('no tea'), { status: 418, statusCode: 418 })
  if (path.endsWith('/throw')) throw new Error('a bug')
  if (path.endsWith('/refused')) throw new SessionError('cross-site', 'Not from there.')
  return { status: path.endsWith('/503') ? 503 : 500, body: 'failed' }
}

describe.each(Object.keys(adapters))('%s', (adapter) => {
  test.for(['/first/throw', '/first/teapot', '/first/500', '/first/503', '/first/refused'])(
    'a sign-in by a request that fails is not kept: %s',
    async (path, { serve }) => {
      const { get, jar, sessions } = await serve(adapter, app)
      const answer = await get(path, post)
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect([answer.headers.getSetCookie(), jar.cookie]).toEqual([[], ''])
      expect(await sessions.list('bob')).toEqual([])
    },
  )

  test.for(['/change/throw', '/change/teapot', '/change/500', '/change/503'])(
    'a change by a request that fails is not kept, and the session goes on: %s',
    async (path, { serve }) => {
      const { get } = await serve(adapter, app)
      await get('/in', post)
      await get(path, post)
      expect(await (await get('/me')).text()).toBe('alice 0')
    },
  )

  test('what was saved explicitly is kept, and the answer of 500 has its cookie', async ({ serve }) => {
    const { get, sessions } = await serve(adapter, app)
    const answer = await get('/first/saved', post)
    expect([answer.status, answer.headers.getSetCookie().length]).toEqual([500, 1])
    expect(await sessions.list('bob')).toHaveLength(1)
    expect(await (await get('/me')).text()).toBe('bob 0')
  })
})

/** As Next 16 makes them (next/dist/client/components): an Error with a digest. */
const ofNext = (digest: string): Error => Object.assign(new Error(digest.split(';')[0]), { digest })

/** As SvelteKit 2 makes them: no Error, and no message. */
class Redirect {
  readonly status: number
  readonly location: string
  constructor(status: number, location: string) {
    this.status = status
    this.location = location
  }
}
class HttpError {
  readonly status: number
  readonly body: { readonly message: string }
  constructor(status: number, message: string) {
    this.status = status
    this.body = { message }
  }
}

type Thrower = (run: (session: ServerSession<Schema>) => never) => Promise<Response>

function routeOf(sessions: Sessions<Schema>): Thrower {
  const headers = { 'sec-fetch-site': 'same-origin' }
  const request = new Request('http://localhost/in', { method: 'POST', headers })
  return (run) =>
    sessions.route((_request, session) => {
      session.signIn('alice')
      return run(session)
    })(request)
}

const raise = (thrown: unknown): never => {
  throw thrown
}

describe('sessions.route', () => {
  test.for<readonly [string, () => unknown, number, string | null]>([
    ['Next: redirect', () => ofNext('NEXT_REDIRECT;replace;/;307;'), 307, '/'],
    ['Next: redirect in an action', () => ofNext('NEXT_REDIRECT;push;/a;303;'), 303, '/a'],
    ['Next: permanentRedirect', () => ofNext('NEXT_REDIRECT;replace;/a;b=1?c;d;308;'), 308, '/a;b=1?c;d'],
    ['Next: notFound', () => ofNext('NEXT_HTTP_ERROR_FALLBACK;404'), 404, null],
    ['Next: forbidden', () => ofNext('NEXT_HTTP_ERROR_FALLBACK;403'), 403, null],
    ['Next: unauthorized', () => ofNext('NEXT_HTTP_ERROR_FALLBACK;401'), 401, null],
    ['Next before 15.1: notFound', () => ofNext('NEXT_NOT_FOUND'), 404, null],
    [
      'Remix: a Response',
      () => new Response(null, { status: 302, headers: { location: '/home' } }),
      302,
      '/home',
    ],
    [
      'Remix: Response.redirect',
      () => Response.redirect('http://localhost/home', 302),
      302,
      'http://localhost/home',
    ],
    ['SvelteKit: redirect', () => new Redirect(303, '/home'), 303, '/home'],
    ['SvelteKit: error', () => new HttpError(404, 'Not found'), 404, null],
  ])(
    'what a framework throws to answer keeps the sign-in and has the cookie: %s',
    async ([, make, status, location]) => {
      const { sessions } = createWorld()
      const answer = await routeOf(sessions)(() => raise(make()))
      expect([answer.status, answer.headers.get('location')]).toEqual([status, location])
      expect(answer.headers.getSetCookie()).toHaveLength(1)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await sessions.list('alice')).toHaveLength(1)
    },
  )

  test.for<readonly [string, () => unknown]>([
    ['an error', () => new Error('a bug')],
    [
      'an error with a status and a body',
      () => Object.assign(new Error('502'), { status: 302, location: '/' }),
    ],
    ['an error with the digest of React', () => ofNext('1234567')],
    ['what only Next can answer', () => ofNext('DYNAMIC_SERVER_USAGE')],
    ['a redirect without a target', () => ofNext('NEXT_REDIRECT;replace;;307;')],
    ['a text', () => 'no'],
    ['nothing', () => undefined],
    ['a status that is none', () => ({ status: 99, location: '/' })],
  ])('what stands for no answer is passed on, and nothing is kept: %s', async ([, make]) => {
    const { sessions } = createWorld()
    const thrown = make()
    const seen = await routeOf(sessions)(() => raise(thrown)).then(
      () => 'an answer',
      (error: unknown) => error,
    )
    expect(seen).toBe(thrown)
    expect(await sessions.list('alice')).toEqual([])
  })

  test('a thrown answer of 5xx keeps nothing', async () => {
    const { sessions } = createWorld()
    for (const thrown of [new Response('', { status: 500 }), new HttpError(503, 'Later')]) {
      const answer = await routeOf(sessions)(() => raise(thrown))
      expect([answer.status >= 500, answer.headers.getSetCookie()]).toEqual([true, []])
    }
    expect(await sessions.list('alice')).toEqual([])
  })

  test('the handler gets what the framework gives beside the request', async () => {
    const { sessions } = createWorld()
    const get = sessions.route(
      async (_request, _session, { params }: { params: Promise<{ id: string }> }) => {
        const { id } = await params
        return new Response(id)
      },
    )
    const answer = await get(new Request('http://localhost/7'), { params: Promise.resolve({ id: '7' }) })
    expect(await answer.text()).toBe('7')
    // @ts-expect-error -- what the handler needs must be given
    void get(new Request('http://localhost/7')).catch(() => undefined)
  })
})

test('a session that was changed by Express and by its error handler keeps the change of the latter', async () => {
  const { sessions } = createWorld({ clock: Date.now })
  const server = express().use(sessionMiddleware(sessions))
  const sessionOf = (request: express.Request) => (request as unknown as SessionRequest<Schema>).session
  server.post('/', (request) => {
    sessionOf(request).signIn('bob')
    throw new Error('a bug')
  })
  server.get(
    '/',
    (request, response) =>
      void response.send(`${sessionOf(request).owner} ${sessionOf(request).get('visits')}`),
  )
  server.use(sessionErrors).use(((_error, request, response, _next) => {
    sessionOf(request).increment('visits')
    response.redirect(303, '/')
  }) as express.ErrorRequestHandler)
  const { get } = client(await listen(server))
  expect(await (await get('/', { ...post, redirect: 'manual' })).status).toBe(303)
  expect(await (await get('/')).text()).toBe('null 1')
})

test('an error handler of Fastify, of the app or of a route, finds nothing of what the handler changed', async () => {
  const { sessions } = createWorld({ clock: Date.now })
  const server = fastify()
  await server.register(sessionPlugin(sessions))
  const answer = (
    _error: unknown,
    _request: unknown,
    reply: { code(status: number): { send(body: string): unknown } },
  ) => reply.code(400).send('sorry')
  server.setErrorHandler(answer as never)
  const fail = (request: unknown): never => {
    ;(request as { session: ServerSession<Schema> }).session.signIn('bob')
    throw new Error('a bug')
  }
  server.post('/app', fail)
  server.post('/route', { errorHandler: answer as never }, fail)
  for (const url of ['/app', '/route']) {
    const reply = await server.inject({ url, method: 'POST', headers: post.headers })
    expect([reply.statusCode, reply.body, reply.headers['set-cookie']]).toEqual([400, 'sorry', undefined])
  }
  expect(await sessions.list('bob')).toEqual([])
})
