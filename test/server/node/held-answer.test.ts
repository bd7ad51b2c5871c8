// An answer while it is held, and what apps, error handlers and clients do to it meanwhile. Found by a review that
// tried to break the middleware; each was a crash, a mixed-up connection or a lost change.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import process from 'node:process'
import express from 'express'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type SessionRequest, sessionErrors, sessionMiddleware } from '../../../src/node.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type Schema, createWorld, ignoreError, watchStore } from '../harness.ts'
import { type Handler, client, listen } from '../http.ts'

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
const sessionOf = (request: unknown) => (request as SessionRequest<Schema>).session

/** Every crash of the process counts, wherever it comes from. */
const crashes: unknown[] = []
const note = (error: unknown): void => void crashes.push(error)
beforeEach(() => {
  crashes.length = 0
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await pause(20)
  process.off('uncaughtException', note)
  process.off('unhandledRejection', note)
  expect(crashes).toEqual([])
})

/** A store that takes its time, and that can be told to fail. */
function slowStore(milliseconds: number): Store & { broken: boolean } {
  const store = watchStore(memoryStore())
  const { create, replace } = store
  store.create = async (...parameters) => {
    await pause(milliseconds)
    return create(...parameters)
  }
  store.replace = async (...parameters) => {
    await pause(milliseconds)
    return replace(...parameters)
  }
  return store
}

async function open(handler: Handler, milliseconds = 10) {
  const store = slowStore(milliseconds)
  const { sessions } = createWorld({ store, clock: Date.now })
  const errors: unknown[] = []
  const middleware = sessionMiddleware(sessions, { onError: (error) => errors.push(error) })
  const origin = await listen((request, response) => {
    void middleware(request, response, () => handler(request as SessionRequest<Schema>, response))
  })
  const browser = client(origin)
  const begin = async (): Promise<void> => {
    const session = await sessions.load(createWorld().browser().request('/'))
    session.set('theme', 'begun')
    await session.save()
    const [line = ''] = sessions.answer(session, new Response()).headers.getSetCookie()
    browser.jar.cookie = line.split(';')[0] ?? ''
  }
  return { store, sessions, errors, origin, begin, ...browser }
}

/** What comes back for these requests, sent at once on one connection, which the server closes after the last. */
async function pipelined(origin: string, paths: readonly string[], cookie: string): Promise<string> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const heads = paths.map((path, index) => {
    const connection = index === paths.length - 1 ? 'close' : 'keep-alive'
    return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\nCookie: ${cookie}\r\n\r\n`
  })
  socket.write(heads.join(''))
  await closed
  return text
}

describe('after a failed save', () => {
  test('what the app goes on writing is ignored, and its callbacks hear of it', async () => {
    const heard: unknown[] = []
    const app = await open(async ({ session, url }, response) => {
      if (url === '/again') return response.end()
      session.set('theme', 'dark')
      response.write('a', (error) => heard.push(error instanceof Error))
      await pause(30)
      response.write('b', (error) => heard.push(error instanceof Error))
      response.setHeader('x-late', '1')
      return response.end('c', () => heard.push('ended'))
    })
    await app.begin()
    const { replace } = app.store
    app.store.replace = async () => ({ kind: 'unavailable', cause: new Error('away') })
    const answer = await app.get('/')
    expect([answer.status, answer.statusText, answer.headers.get('x-late')]).toEqual([
      503,
      'Service Unavailable',
      null,
    ])
    await pause(60)
    expect(heard).toEqual([true, true, 'ended'])
    app.store.replace = replace
    expect((await app.get('/again')).status).toBe(200)
  })

  test('what the app goes on writing is ignored while a pipelined request before it keeps the failure waiting', async () => {
    const app = await open(async ({ session, url }, response) => {
      if (url === '/slow') return void setTimeout(() => response.end('slow'), 150)
      session.set('theme', 'dark')
      response.write('first')
      for (let count = 0; count < 5; count++) {
        await pause(20)
        response.write(String(count))
      }
      return response.end('last')
    })
    await app.begin()
    app.store.replace = async () => ({ kind: 'unavailable', cause: new Error('away') })
    const text = await pipelined(app.origin, ['/slow', '/stream'], app.jar.cookie)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503'])
  })

  test('headers of what came before the middleware stay, those of the app go', async () => {
    const { sessions } = createWorld({ clock: Date.now, store: slowStore(1) })
    const app = express()
    app.use((_request, response, next) => {
      response.set('strict-transport-security', 'max-age=1')
      next()
    })
    app.use(sessionMiddleware(sessions))
    app.get('/', (request, response) => {
      sessionOf(request).set('secret', 'x'.repeat(200_000))
      sessionOf(request).set('cart', ['x'.repeat(100_000)])
      response.status(201).set('x-mine', '1').set('content-encoding', 'gzip').send('never')
    })
    const answer = await client(await listen(app)).get('/')
    expect([answer.status, answer.statusText]).toEqual([413, 'Payload Too Large'])
    expect(answer.headers.get('strict-transport-security')).toBe('max-age=1')
    expect([answer.headers.get('x-mine'), answer.headers.get('content-encoding')]).toEqual([null, null])
  })

  test('a change that mends a failed save is saved again', async () => {
    const app = await open(async ({ session }, response) => {
      if (response.req.url === '/read') return response.end(session.get('theme'))
      session.set('secret', 'x'.repeat(200_000))
      session.set('cart', ['x'.repeat(100_000)])
      await session.save().catch(() => session.delete('cart'))
      session.set('theme', 'fine')
      return response.end('ok')
    })
    await app.begin()
    expect((await app.get('/')).status).toBe(200)
    expect(await (await app.get('/read')).text()).toBe('fine')
  })
})

describe('a change while the answer is held', () => {
  test('a change while the answer is held is stored before the headers go, and the cookie of a sign-in is sent', async () => {
    const app = await open(async ({ session, url }, response) => {
      if (url === '/read') return response.end(`${session.owner} ${session.get('visits')}`)
      session.signIn('ada')
      response.end('in')
      await pause(3)
      session.increment('visits')
      return undefined
    })
    await app.begin()
    const answer = await app.get('/')
    expect([await answer.text(), answer.headers.getSetCookie().length]).toEqual(['in', 1])
    expect(await (await app.get('/read')).text()).toBe('ada 1')
  })

  test('an app that changes its session without end is answered 500', async () => {
    const app = await open(({ session }, response) => {
      const change = (): void => {
        session.increment('visits')
        if (!response.destroyed && !response.writableFinished) setImmediate(change)
      }
      change()
      response.end('never')
    }, 0)
    await app.begin()
    expect((await app.get('/')).status).toBe(500)
    expect(String(app.errors[0])).toContain('without end')
  })
})

describe('an error handler that answers while an answer is on its way', () => {
  const handlers: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
    'with a longer text': (response) =>
      (response as express.Response).status(500).send('Internal server error, sorry'),
    'with a shorter text': (response) => (response as express.Response).status(500).send('no'),
    'with a bare end': (response) => Object.assign(response, { statusCode: 500 }).end(),
    'with writeHead': (response) => response.writeHead(500, { 'content-length': '2' }).end('no'),
  }

  test.each(Object.entries(handlers))(
    'an error handler that answers %s changes nothing of the answer on its way, and nothing of the next one',
    async (_, handle) => {
      const { sessions } = createWorld({ clock: Date.now, store: slowStore(10) })
      const app = express()
      app.use(sessionMiddleware(sessions))
      app.get('/next', (_request, response) => void response.send('the next answer'))
      app.get('/', (request, response) => {
        sessionOf(request).increment('visits')
        response.json({ ok: true })
        throw new Error('after the answer')
      })
      // oxlint-disable-next-line max-params -- Express tells an error handler by its four parameters
      app.use((_error: unknown, _request: IncomingMessage, response: ServerResponse, _next: unknown) => {
        handle(response)
      })
      const text = await pipelined(await listen(app), ['/', '/next'], '')
      expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
      expect(text).toMatch(/Content-Length: 11[\s\S]*\r\n\r\n\{"ok":true\}HTTP/)
      expect(text.endsWith('the next answer')).toBe(true)
    },
  )

  test.each([true, false])(
    'an error after the answer leaves the connection alone (our handler mounted: %s)',
    async (isMounted) => {
      const { sessions } = createWorld({ clock: Date.now, store: slowStore(10) })
      const app = express()
      app.set('env', 'test')
      app.use(sessionMiddleware(sessions))
      app.get('/', (request, response) => {
        sessionOf(request).increment('visits')
        response.json({ ok: true })
        throw new Error('after the answer')
      })
      if (isMounted) app.use(sessionErrors)
      const answer = await client(await listen(app)).get('/')
      expect([answer.status, await answer.json()]).toEqual([200, { ok: true }])
    },
  )
})

test('a SessionError after headers of an answer that never came leaves none of them', async () => {
  const { sessions } = createWorld({ clock: Date.now })
  const app = express()
  app.use(sessionMiddleware(sessions))
  app.post('/', (request, response) => {
    sessionOf(request).set('theme', 'dark')
    response.set({ 'content-length': '4', 'content-encoding': 'gzip', etag: '"file"' })
    sessions.guard(request)
  })
  app.use(sessionErrors)
  const { get, jar } = client(await listen(app))
  const answer = await get('/', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } })
  expect(await answer.json()).toMatchObject({ code: 'cross-site' })
  expect([answer.headers.get('etag'), answer.headers.get('content-encoding'), jar.cookie]).toEqual([
    null,
    null,
    '',
  ])
})

describe('an answer that somebody else gave', () => {
  test.each(['good', 'broken'])(
    'an answer that somebody else gave while the session was loading, from a %s store, is left alone',
    async (kind) => {
      const inner = memoryStore()
      const { sessions, browser } = createWorld({ clock: Date.now, store: inner })
      const ada = browser()
      await ada.app((session) => session.set('theme', 'dark'))
      const store: Store = {
        ...inner,
        async read(...parameters) {
          await pause(60)
          return kind === 'good'
            ? inner.read(...parameters)
            : { kind: 'unavailable', cause: new Error('away') }
        },
      }
      const middleware = sessionMiddleware(
        createWorld({ clock: Date.now, store, onError: ignoreError }).sessions,
      )
      let isAsked = false
      const origin = await listen((request, response) => {
        setTimeout(() => response.writeHead(503).end('timeout'), 20)
        void middleware(request, response, () => {
          isAsked = true
        })
      })
      const answer = await fetch(origin, { headers: { cookie: ada.cookie } })
      expect(await answer.text()).toBe('timeout')
      await pause(80)
      expect(isAsked).toBe(false)
      void sessions
    },
  )
})

describe('a stream', () => {
  test('a stream that ends twice while its last change is stored ends once, whole', async () => {
    const app = await open(async ({ session, url }, response) => {
      if (url === '/next') return response.end('the next answer')
      response.write('begun ')
      await pause(5)
      session.increment('visits')
      response.end('ended')
      response.statusCode = 500
      return response.end()
    })
    await app.begin()
    expect(await (await app.get('/')).text()).toBe('begun ended')
    const text = await pipelined(app.origin, ['/', '/next'], app.jar.cookie)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200'])
  })

  test.each(['signIn', 'first'])(
    'a stream that has begun cannot get a cookie (%s): it is cut off, and nothing is stored',
    async (kind) => {
      const app = await open(async ({ session, url }, response) => {
        if (url === '/read') return response.end(String(session.owner))
        response.write('begun ')
        await pause(5)
        if (kind === 'signIn') session.signIn('ada')
        else session.set('theme', 'dark')
        return response.end('ended')
      })
      if (kind === 'signIn') await app.begin()
      await expect(app.get('/').then((answer) => answer.text())).rejects.toThrow()
      expect(String(app.errors[0])).toContain('its cookie could not be sent')
      expect(await (await app.get('/read')).text()).toBe('null')
    },
  )
})

describe('writeHead', () => {
  test.each<readonly [string, unknown[]]>([
    ['an object', [{ 'x-a': '1' }]],
    ['an object and undefined', [{ 'x-a': '1' }, undefined]],
    ['a text and an object', ['Fine', { 'x-a': '1' }]],
    ['undefined and an object', [undefined, { 'x-a': '1' }]],
    ['a flat list', [['x-a', '1']]],
    ['a list of pairs', [[['x-a', '1']]]],
  ])('writeHead takes %s', async (_, parameters) => {
    const app = await open(({ session }, response) => {
      session.increment('visits')
      Reflect.apply(response.writeHead, response, [201, ...parameters])
      response.end()
    })
    const answer = await app.get('/')
    expect([answer.status, answer.headers.get('x-a')]).toEqual([201, '1'])
    expect(answer.headers.getSetCookie()).toHaveLength(1)
  })

  test('writeHead takes a flat list in which a value is a list', async () => {
    const app = await open((_request, response) => {
      response.writeHead(200, ['Set-Cookie', ['a=1', 'b=2'], 'X-Foo', 'bar']).end()
    })
    const answer = await app.get('/')
    expect([answer.headers.getSetCookie(), answer.headers.get('x-foo')]).toEqual([['a=1', 'b=2'], 'bar'])
  })

  test('somebody who waits for the head cannot make an answer with a cookie shared', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const middleware = sessionMiddleware(sessions)
    const origin = await listen((request, response) => {
      const { writeHead } = response
      response.writeHead = (...parameters: unknown[]) => {
        response.setHeader('cache-control', 'public, max-age=60')
        return Reflect.apply(writeHead, response, parameters)
      }
      void middleware(request, response, () => {
        sessionOf(request).set('theme', 'dark')
        response.end()
      })
    })
    const answer = await fetch(origin)
    expect([answer.headers.getSetCookie().length, answer.headers.get('cache-control')]).toEqual([
      1,
      'no-store',
    ])
  })
})

describe('mistakes are told where they are made', () => {
  test.each<readonly [string, (response: ServerResponse) => unknown]>([
    ['ends with a number', (response) => response.end(123 as never)],
    ['writes nothing', (response) => response.write(undefined as never)],
    ['has an impossible status', (response) => response.writeHead(1000)],
  ])('an answer that %s throws', async (_, mistake) => {
    const app = await open(({ session }, response) => {
      session.increment('visits')
      try {
        mistake(response)
        response.end('taken')
      } catch (error) {
        response.end((error as Error).name)
      }
    })
    expect(await (await app.get('/')).text()).toMatch(/^(TypeError|RangeError)$/)
  })

  test('a status that no answer can have is a 500 that nobody keeps', async () => {
    const app = await open(({ session }, response) => {
      session.increment('visits')
      response.statusCode = 0
      response.end('never')
    })
    const answer = await app.get('/')
    expect([
      answer.status,
      answer.headers.get('cache-control'),
      answer.headers.get('x-content-type-options'),
    ]).toEqual([500, 'no-store', 'nosniff'])
    expect(app.errors).toHaveLength(1)
  })
})

test('an upload whose session cannot be had is not read on', async () => {
  const app = await open(() => undefined)
  await app.begin()
  app.store.broken = true
  const socket = connect(Number(new URL(app.origin).port), '127.0.0.1')
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  socket.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nCookie: ${app.jar.cookie}\r\nContent-Length: 1000000\r\n\r\nx`,
  )
  await once(socket, 'close')
  expect(text).toMatch(/^HTTP\/1\.1 503 [\s\S]*connection: close/i)
})
