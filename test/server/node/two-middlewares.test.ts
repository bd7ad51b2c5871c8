// Two session middlewares in one app: the same one twice is one; another one is refused at once, unless each request meets
// only one of them.
import { type IncomingMessage, type ServerResponse } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { H3 } from 'h3'
import { describe, expect, test } from 'vitest'
import { sessionPlugin } from '../../../src/fastify.ts'
import { sessionErrors, sessionMiddleware } from '../../../src/node.ts'
import type { ServerSession } from '../../../src/server.ts'
import { type Schema, code, createWorld, ignoreError } from '../harness.ts'
import { client, listen } from '../http.ts'

const sessionOf = (request: object) => (request as { session: ServerSession<Schema> }).session

function createTwo() {
  const shop = createWorld({ clock: Date.now, cookie: { name: 'shop' }, app: 'shop' })
  const office = createWorld({
    clock: Date.now,
    cookie: { name: 'office' },
    app: 'office',
    base: '/office/session',
  })
  return { shop: shop.sessions, office: office.sessions }
}

const cookiesOf = (answer: Response): string[] =>
  answer.headers.getSetCookie().map((line) => line.split('=')[0] ?? '')
const codeOf = async (answer: Response): Promise<unknown> => [answer.status, (await answer.json()).code]

/** Signs in at `/office/in`, says who is there at `/office/me`. */
function officeRoutes(app: express.Application): void {
  app.post('/office/in', (request, response) => {
    sessionOf(request).signIn('ada')
    response.send('in')
  })
  app.get('/office/me', (request, response) => void response.json(sessionOf(request).owner))
}

describe('an office below a shop', () => {
  test('the sessions of an office that is mounted after those of the shop are refused at once, with a sentence', async () => {
    const { shop, office } = createTwo()
    const app = express().use(sessionMiddleware(shop)).use('/office', sessionMiddleware(office))
    officeRoutes(app)
    const answer = await fetch(`${await listen(app)}/office/me`)
    expect(cookiesOf(answer)).toEqual([])
    expect(await answer.json()).toMatchObject({
      status: 500,
      code: 'session-taken',
      detail: expect.stringContaining('mounted before'),
    })
  })

  test('an office that is mounted before the shop answers below its path as if there were no shop', async () => {
    const { shop, office } = createTwo()
    const below = express().use(sessionMiddleware(office))
    below.post('/in', (request, response) => {
      sessionOf(request).signIn('ada')
      response.send('in')
    })
    below.get('/me', (request, response) => void response.json(sessionOf(request).owner))
    below.use((_request, response) => void response.sendStatus(404))
    const app = express().use('/office', below).use(sessionMiddleware(shop))
    app.get('/', (request, response) => void response.json(sessionOf(request).owner))
    const origin = await listen(app)
    const headers = { cookie: 'shop=v1.broken', 'sec-fetch-site': 'same-origin' }
    const signedIn = await fetch(`${origin}/office/in`, { method: 'POST', headers })
    expect([signedIn.status, cookiesOf(signedIn)]).toEqual([200, ['office']])
    const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const revision = signedIn.headers.get('session-revision') ?? ''
    const [epoch = ''] = revision.split('.')
    const me = await fetch(`${origin}/office/me`, { headers: { cookie, 'session-epoch': epoch } })
    expect([me.status, await me.json(), me.headers.get('session-revision')]).toEqual([200, 'ada', revision])
    const mirror = await fetch(`${origin}/office/session`, { headers: { cookie } })
    expect(await mirror.json()).toMatchObject({ owner: 'ada' })
    expect(await (await fetch(`${origin}/`, { headers: { cookie } })).json()).toBe(null)
  })

  test('what an office does not answer, and its shop gets, is refused too', async () => {
    const { shop, office } = createTwo()
    const app = express().use('/office', sessionMiddleware(office)).use(sessionMiddleware(shop))
    officeRoutes(app)
    expect(await codeOf(await fetch(`${await listen(app)}/office/me`))).toEqual([500, 'session-taken'])
  })

  test('with bare node:http the second sessions are refused', async () => {
    const { shop, office } = createTwo()
    const [outer, inner] = [sessionMiddleware(shop), sessionMiddleware(office)]
    const origin = await listen((request, response) => {
      void outer(request, response, () => inner(request, response, () => response.end('both')))
    })
    expect(await codeOf(await fetch(origin))).toEqual([500, 'session-taken'])
  })

  test('a second plugin of Fastify is refused when it is registered', async () => {
    const { shop, office } = createTwo()
    const app = fastify()
    await app.register(sessionPlugin(shop))
    await expect(
      app.register(
        async (below) => {
          await below.register(sessionPlugin(office))
        },
        { prefix: '/office' },
      ),
    ).rejects.toEqual(code('session-taken'))
  })

  test('with Hono the second sessions are refused', async () => {
    const { shop, office } = createTwo()
    const app = new Hono()
    for (const [path, sessions] of [
      ['*', shop],
      ['/office/*', office],
    ] as const) {
      app.use(path, async (c, next) => {
        const answer = await sessions.route(async () => {
          await next()
          return c.res
        })(c.req.raw)
        Object.assign(c, { res: undefined }, { res: answer })
      })
    }
    app.get('/office/me', (c) => c.text('me'))
    expect(await codeOf(await app.request('/office/me'))).toEqual([500, 'session-taken'])
    expect((await app.request('/')).status).toBe(404)
  })
})

describe('the same sessions, mounted twice', () => {
  test('two middlewares of the same sessions are one, with Express', async () => {
    const { shop } = createTwo()
    const app = express().use(sessionMiddleware(shop)).use('/office', sessionMiddleware(shop))
    officeRoutes(app)
    app.use(sessionErrors)
    const headers = { 'sec-fetch-site': 'same-origin' }
    const answer = await fetch(`${await listen(app)}/office/in`, { method: 'POST', headers })
    expect([answer.status, cookiesOf(answer)]).toEqual([200, ['shop']])
  })

  test.each(['answers', 'throws'])(
    'a route within a route of the same sessions has its session, when it %s',
    async (end) => {
      const { shop } = createTwo()
      const inner = shop.route((_request, session) => {
        session.signIn('ada')
        if (end === 'throws') throw new Error('The handler failed.')
        return new Response('in')
      })
      const outer = shop.route(async (request, session) => {
        const answer = await inner(request)
        expect(session.owner).toBe('ada')
        return answer
      })
      const request = new Request('http://localhost/', {
        method: 'POST',
        headers: { 'sec-fetch-site': 'same-origin' },
      })
      if (end === 'throws') {
        await expect(outer(request)).rejects.toThrow('The handler failed.')
        return
      }
      const answer = await outer(request)
      expect([answer.status, cookiesOf(answer)]).toEqual([200, ['shop']])
      // The request is free again: another try of the same is another request.
      expect((await outer(request)).status).toBe(200)
    },
  )

  test('h3 within a route, with a route of the same sessions, sets one cookie', async () => {
    const { shop } = createTwo()
    const routes = new H3()
    routes.get('/', (event) =>
      shop.route((_request, session) => (session.set('theme', 'dark'), new Response('ok')))(event.req),
    )
    const answer = await shop.route((request) => routes.request(request))(new Request('http://localhost/'))
    expect(cookiesOf(answer)).toEqual(['shop'])
  })
})

describe('another session library', () => {
  /** As express-session does it: takes the name, and looks at its own session when the answer ends. */
  function otherSession(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const own = { cookie: {}, touch: () => undefined }
    Object.assign(request, { session: own })
    const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse
    Object.assign(response, {
      end(...parameters: unknown[]) {
        ;(request as unknown as { session: typeof own }).session.touch()
        return end(...parameters)
      },
    })
    next()
  }

  test('express-session before ours is refused at once, with an answer', async () => {
    const { sessions } = createWorld({ clock: Date.now, onError: ignoreError })
    const app = express().use(otherSession).use(sessionMiddleware(sessions))
    const { get } = client(await listen(app))
    expect(await codeOf(await get('/'))).toEqual([500, 'session-taken'])
    expect(await codeOf(await get('/session'))).toEqual([500, 'session-taken'])
  })

  test('a plugin of Fastify that has taken the name before ours is refused when ours is registered', async () => {
    const { sessions } = createWorld()
    const app = fastify()
    app.decorateRequest('session')
    await expect(app.register(sessionPlugin(sessions))).rejects.toEqual(code('session-taken'))
  })
})
