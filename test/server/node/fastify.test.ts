// What is special about Fastify: its hooks, its errors, its children, its streams.
import { type RequestListener, createServer } from 'node:http'
import { Readable } from 'node:stream'
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { sessionPlugin } from '../../../src/fastify.ts'
import { memoryStore } from '../../../src/memory.ts'
import type { ServerSession } from '../../../src/server.ts'
import { type Schema, createWorld, ignoreError, watchStore } from '../harness.ts'
import { client } from '../http.ts'
import { transportsWithoutTls } from '../transports.ts'

declare module 'fastify' {
  interface FastifyRequest {
    session: ServerSession<Schema>
  }
}

const apps: FastifyInstance[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

async function open(routes: (app: FastifyInstance) => void, options: Parameters<typeof createWorld>[0] = {}) {
  const store = watchStore(memoryStore())
  const { sessions } = createWorld({ clock: Date.now, store, onError: ignoreError, ...options })
  const app = fastify({ forceCloseConnections: true })
  apps.push(app)
  await app.register(sessionPlugin(sessions))
  app.post('/in', (request) => {
    request.session.signIn('ada')
    return 'in'
  })
  routes(app)
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, store, sessions, origin, ...client(origin) }
}

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1', 'content-type': 'application/json' }
const signIn = ({ get }: { get: (path: string, init: RequestInit) => Promise<Response> }) =>
  get('/in', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })

describe('every answer that depends on the session says so', () => {
  test('404s and errors that depend on the session say so, whoever made them', async () => {
    const app = await open((instance) => {
      instance.get('/throws', () => {
        throw new Error('no')
      })
      instance.register(async (child) => {
        child.setErrorHandler((_error, _request, reply) => reply.code(418).send('teapot'))
        child.get('/handled', () => {
          throw new Error('no')
        })
      })
    })
    await signIn(app)
    for (const [path, status] of [
      ['/nothing', 404],
      ['/throws', 500],
      ['/handled', 418],
    ] as const) {
      const answer = await app.get(path)
      expect(answer.status).toBe(status)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('vary')).toBe('Cookie')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('session-revision')).toMatch(/\.1$/)
    }
  })

  test('routes of child plugins have the session, too', async () => {
    const app = await open((instance) => {
      instance.register(async (child) => {
        child.get('/child', (request) => request.session.owner)
      })
    })
    await signIn(app)
    expect(await (await app.get('/child')).text()).toBe('ada')
  })

  test('an answer that everybody may have, and that did not look at the session, is left as it is', async () => {
    const app = await open((instance) => {
      instance.get('/logo', (_request, reply) =>
        reply.header('cache-control', 'public, max-age=60').send('logo'),
      )
    })
    await signIn(app)
    const answer = await app.get('/logo')
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60')
    expect(answer.headers.get('session-revision')).toBe(null)
  })
})

describe('changes are stored before the answer', () => {
  test('changes of a streamed route, and those of a hook before ours, are stored before the answer', async () => {
    const app = await open((instance) => {
      instance.get('/stream', (request, reply) => {
        request.session.increment('visits')
        return reply.type('text/plain').send(Readable.from(['a', 'b']))
      })
      instance.addHook('preSerialization', async (request, _reply, payload) => {
        request.session.increment('visits')
        return payload
      })
      instance.get('/json', (request) => ({ visits: request.session.get('visits') }))
    })
    const streamed = await app.get('/stream')
    expect([await streamed.text(), streamed.headers.getSetCookie().length]).toEqual(['ab', 1])
    await app.get('/json')
    expect(await (await app.get('/json')).json()).toEqual({ visits: 2 })
  })

  test('an answer becomes a problem when its changes cannot be stored, whatever the handler sent', async () => {
    const app = await open((instance) => {
      instance.get('/set', (request, reply) => {
        request.session.set('theme', 'dark')
        return reply.header('x-mine', '1').send(Readable.from(['all is well']))
      })
    })
    await signIn(app)
    app.store.replace = async () => ({ kind: 'unavailable', cause: new Error('away') })
    const answer = await app.get('/set')
    expect([answer.status, answer.headers.get('x-mine')]).toEqual([503, null])
    expect(await answer.json()).toMatchObject({ code: 'store-unavailable' })
    expect(answer.headers.get('retry-after')).toBe('1')
  })
})

test('a SessionError of a handler is a problem, unless the app’s own handler answers it', async () => {
  const app = await open((instance) => {
    instance.post('/guarded', (request) => {
      app.sessions.guard(request.raw)
      return 'ok'
    })
    instance.register(async (child) => {
      child.setErrorHandler((_error, _request, reply) => reply.code(418).send('mine'))
      child.post('/own', (request) => app.sessions.guard(request.raw))
    })
  })
  const init = { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } }
  const answer = await app.get('/guarded', init)
  expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'cross-site' })])
  expect([(await app.get('/own', init)).status]).toEqual([418])
})

describe('session routes', () => {
  test('the session routes read their own body, and the app’s parsers theirs', async () => {
    const app = await open((instance) => {
      instance.post('/echo', (request) => request.body)
    })
    const echoed = await app.get('/echo', { method: 'POST', body: '{"a":1}', headers: own })
    expect(await echoed.json()).toEqual({ a: 1 })
    const body = JSON.stringify({ epoch: null, owner: null, since: 0 })
    expect((await app.get('/session/refresh', { method: 'POST', body, headers: own })).status).toBe(200)
  })

  test('the session routes refuse a body that is too large, and the connection does not hang', async () => {
    const app = await open(() => undefined)
    const body = 'x'.repeat(400_000)
    const answers = [1, 2, 3].map(() => app.get('/session/sync', { method: 'POST', body, headers: own }))
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([413, 413, 413])
    expect((await app.get('/session')).status).toBe(200)
  })

  test('the session routes stream events, and let go of them when the reader leaves', async () => {
    const app = await open((instance) => {
      instance.get('/set', (request) => {
        request.session.set('theme', 'dark')
        return 'set'
      })
    })
    await signIn(app)
    const reading = new AbortController()
    const streams = await Promise.all(
      Array.from({ length: 8 }, () => app.get('/session/events', { signal: reading.signal })),
    )
    expect((await app.get('/session/events')).status).toBe(503)
    const reader = streams[0]?.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"revision":1')) text += (await reader?.read())?.value ?? ''
    await app.get('/set')
    while (!text.includes('"theme":[2,"dark"]')) text += (await reader?.read())?.value ?? ''
    reading.abort()
    await expect.poll(async () => (await app.get('/session/events')).status).toBe(200)
  })

  test('the session routes and those of the app answer a page of an allowed origin', async () => {
    const friend = 'https://app.example.com'
    const app = await open(() => undefined, { allowedOrigins: [friend] })
    for (const path of ['/session', '/nothing']) {
      const answer = await app.get(path, { headers: { origin: friend } })
      expect(answer.headers.get('access-control-allow-origin')).toBe(friend)
      expect(answer.headers.get('vary')).toMatch(/\bOrigin\b/)
    }
    const headers = { origin: friend, 'access-control-request-method': 'PUT' }
    expect((await app.get('/nothing', { method: 'OPTIONS', headers })).status).toBe(204)
  })
})

describe('what comes after our hooks', () => {
  test('a Response as payload cannot make an answer with a cookie shared', async () => {
    const app = await open((instance) => {
      instance.get('/response', (request, reply) => {
        request.session.signIn('ada')
        const headers = { 'cache-control': 'public, max-age=60', vary: 'Accept' }
        return reply.send(new Response('hello', { headers }))
      })
    })
    const answer = await app.get('/response')
    expect([await answer.text(), answer.headers.getSetCookie().length]).toEqual(['hello', 1])
    expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual([
      'no-store',
      'Accept, Cookie',
    ])
  })

  test('a change of a later hook, or of reply.raw, is stored', async () => {
    const app = await open((instance) => {
      instance.addHook('onSend', async (request, _reply, payload) => {
        if (request.url === '/hook') request.session.increment('visits')
        return payload
      })
      instance.get('/hook', () => 'hook')
      instance.get('/raw', (request, reply) => {
        reply.hijack()
        request.session.increment('visits')
        reply.raw.end('raw')
      })
      instance.get('/read', (request) => ({ visits: request.session.get('visits') }))
    })
    expect((await app.get('/hook')).headers.getSetCookie()).toHaveLength(1)
    expect(await (await app.get('/raw')).text()).toBe('raw')
    expect(await (await app.get('/read')).json()).toEqual({ visits: 2 })
  })
})

describe('an answer that waits for the store is whole', () => {
  const routes = (instance: FastifyInstance): void => {
    instance.get('/whole', (request) => {
      request.session.signIn('ada')
      return 'the whole answer'
    })
    instance.get('/streamed', (request, reply) => {
      request.session.signIn('ada')
      return reply.type('text/plain').send(Readable.from(['the ', 'whole ', 'answer']))
    })
    instance.get('/response', (request) => {
      request.session.signIn('ada')
      return new Response('the whole answer')
    })
    instance.get('/raw', (request, reply) => {
      reply.hijack()
      request.session.signIn('ada')
      reply.raw.end('the whole answer')
    })
  }
  const paths = ['/whole', '/streamed', '/response', '/raw']

  test.each(paths)('the answer to inject is whole (%s)', async (path) => {
    const { app } = await open(routes)
    const answer = await app.inject(path)
    expect([answer.statusCode, answer.body]).toEqual([200, 'the whole answer'])
    expect(answer.cookies).toEqual([expect.objectContaining({ name: 'session' })])
  })

  test('a problem is whole in the answer to inject', async () => {
    const { app, store } = await open(routes)
    store.broken = true
    const answer = await app.inject('/whole')
    expect([answer.statusCode, answer.json()]).toEqual([503, expect.objectContaining({ status: 503 })])
  })

  test.each(paths)('an answer over HTTP/2 is whole (%s)', async (path) => {
    const { sessions } = createWorld({ clock: Date.now })
    let dispatch: RequestListener = () => undefined
    const app = fastify({
      serverFactory(handler) {
        dispatch = handler
        return createServer()
      },
    })
    apps.push(app)
    await app.register(sessionPlugin(sessions))
    routes(app)
    await app.ready()
    const server = await transportsWithoutTls['HTTP/2']((request, response) => dispatch(request, response))
    const reply = await server.send(path)
    await server.close()
    expect([reply.status, reply.text, reply.cut]).toEqual([200, 'the whole answer', undefined])
    expect(reply.headers['set-cookie']).toHaveLength(1)
  })
})

describe('request.session', () => {
  test.each([
    ['null', null, /session\.destroy/],
    ['an object', { user: 'ada' }, /session\.set/],
  ])(
    'assigning %s to request.session is refused with a sentence, and changes nothing',
    async (_, value, sentence) => {
      const refused: unknown[] = []
      const { get } = await open((app) => {
        app.get('/', (request) => {
          const { session } = request
          try {
            Reflect.set(request, 'session', value)
          } catch (error) {
            refused.push(error)
          }
          return String(request.session === session)
        })
      })
      expect(await (await get()).text()).toBe('true')
      expect(refused).toEqual([expect.objectContaining({ code: 'invalid-option' })])
      expect(String(refused[0])).toMatch(sentence)
    },
  )

  test('each of two requests at once has its own', async () => {
    const { get } = await open((app) => {
      app.get('/:theme', (request) => {
        request.session.set('theme', request.url)
        return new Promise((resolve) => setImmediate(() => resolve(request.session.get('theme'))))
      })
    })
    const texts = await Promise.all(['/a', '/b'].map(async (path) => (await get(path)).text()))
    expect(texts).toEqual(['/a', '/b'])
  })
})
