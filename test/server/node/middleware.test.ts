import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type SessionRequest, sessionErrors, sessionMiddleware } from '../../../src/node.ts'
import { type Schema, createWorld } from '../harness.ts'
import { client, listen, start } from '../http.ts'
import { sleep } from '../../support/waiting.ts'

const post = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', 'session-mirror': '1', 'sec-fetch-site': 'same-origin' },
})

describe('an answer', () => {
  test('an answer goes out only after its changes are stored', async () => {
    const order: string[] = []
    const inner = memoryStore()
    const slow = {
      ...inner,
      async create(...parameters: Parameters<typeof inner.create>) {
        await sleep(50)
        order.push('stored')
        return inner.create(...parameters)
      },
    }
    const { get, jar } = await start(
      ({ session }, response) => {
        session.set('theme', 'dark')
        response.end('done')
      },
      { store: slow },
    )
    const response = await get()
    order.push('answered')
    expect(order).toEqual(['stored', 'answered'])
    expect([response.status, await response.text()]).toEqual([200, 'done'])
    expect(jar.cookie).toMatch(/^session=v1\./)
    expect(response.headers.get('session-revision')).toMatch(/^[\w-]{16}\.1$/)
    expect(response.headers.get('session-fresh-in')).toBe('900')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('vary')).toBe('Cookie')
  })

  test('an answer whose changes cannot be stored is 503, never 200, and has nothing of the app’s answer', async () => {
    const { get, store } = await start(({ session }, response) => {
      session.set('theme', 'dark')
      store.broken = true
      response.setHeader('set-cookie', 'app=1')
      response.setHeader('x-order', '7')
      response.setHeader('access-control-allow-origin', 'https://app.example.com')
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '4' })
      response.write('do')
      response.end('ne')
    })
    const response = await get()
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.getSetCookie()).toEqual([])
    expect(response.headers.get('x-order')).toBe(null)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(await response.json()).toMatchObject({ code: 'store-unavailable', status: 503 })
  })

  test('the answer to a change of a session that was signed out meanwhile is 401 `ended`', async () => {
    const { get, jar, sessions } = await start(async ({ session, url }, response) => {
      if (url === '/in') session.signIn('alice')
      if (url === '/slow') {
        const other = await sessions.load({
          method: 'GET',
          url: '/',
          secure: false,
          host: 'localhost',
          header: (name) => (name === 'cookie' ? jar.cookie : undefined),
          body: async () => '',
        })
        other.destroy()
        await other.save()
        session.set('theme', 'dark')
      }
      response.end('ok')
    })
    await get('/in')
    const response = await get('/slow')
    expect([response.status, (await response.json()).code]).toEqual([401, 'ended'])
    expect(response.headers.getSetCookie()).toEqual([])
  })

  test('an answer keeps what the app set: cookies, Vary, and a stricter Cache-Control', async () => {
    const { get } = await start(({ session }, response) => {
      session.set('theme', 'dark')
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.setHeader('vary', 'Accept-Encoding')
      response.writeHead(201, 'Made', { 'cache-control': 'no-store, max-age=0', 'x-a': '1' })
      response.end('ok')
    })
    const response = await get()
    expect([response.status, response.statusText]).toEqual([201, 'Made'])
    expect(response.headers.getSetCookie()).toHaveLength(3)
    expect(response.headers.get('vary')).toBe('Accept-Encoding, Cookie')
    expect(response.headers.get('cache-control')).toBe('no-store, max-age=0')
    expect(response.headers.get('x-a')).toBe('1')
  })

  test('an answer for shared caches is taken from them when it sets a cookie', async () => {
    const { get } = await start(({ session }, response) => {
      session.set('theme', 'dark')
      response.writeHead(200, [
        'Cache-Control',
        'public, max-age=60',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
      ])
      response.end('ok')
    })
    const response = await get()
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.getSetCookie()).toHaveLength(3)
  })

  test('an answer without a session and without a look at it is left as it is, but for Session-Revision: none', async () => {
    const { get } = await start((_request, response) => response.end('static'))
    const response = await get()
    expect(response.headers.get('session-revision')).toBe('none')
    expect([response.headers.get('cache-control'), response.headers.get('vary')]).toEqual([null, null])
  })

  test('an answer that the app gives to everybody is left as it is, with a session too', async () => {
    const { get } = await start(({ session, url }, response) => {
      if (url === '/set') session.set('theme', 'dark')
      else response.setHeader('cache-control', 'public, max-age=60')
      response.end('ok')
    })
    await get('/set')
    const { headers } = await get('/static')
    expect(headers.get('cache-control')).toBe('public, max-age=60')
    expect([headers.get('vary'), headers.get('session-revision')]).toEqual([null, null])
  })

  test('an answer that only looked at the session depends on the cookie', async () => {
    const { get } = await start(({ session }, response) => response.end(session.owner ?? 'nobody'))
    const response = await get()
    expect([response.headers.get('cache-control'), response.headers.get('vary')]).toEqual([
      'no-store',
      'Cookie',
    ])
  })

  test('an answer is not changed by an error handler that runs while it is held', async () => {
    const seen: boolean[] = []
    const { get } = await start(({ session }, response) => {
      session.set('theme', 'dark')
      response.write('first')
      // It may not be changed any more: an error handler is to keep away.
      seen.push(response.headersSent)
      response.end()
      // It is decided, and has not left: an error handler is not to break the connection.
      seen.push(response.headersSent)
      response.statusCode = 500
      response.end('second')
    })
    const response = await get()
    expect([response.status, await response.text()]).toEqual([200, 'first'])
    expect(seen).toEqual([true, false])
  })

  test('a change that is made after writeHead is stored, as long as nothing was written', async () => {
    const { get, jar } = await start(({ session }, response) => {
      response.writeHead(200)
      session.set('theme', 'late')
      response.end('ok')
    })
    expect((await get()).status).toBe(200)
    expect(jar.cookie).not.toBe('')
  })

  test('a stream is cut off when a late change cannot be stored', async () => {
    const { get, store } = await start(async ({ session, url }, response) => {
      if (url === '/set') {
        session.set('theme', 'x')
        return response.end()
      }
      response.write('begun')
      session.increment('visits')
      store.broken = url === '/broken'
      return response.end('end')
    })
    await get('/set')
    expect(await (await get('/stream')).text()).toBe('begunend')
    await expect(get('/broken').then((response) => response.text())).rejects.toThrow()
  })

  test('an answer of 304 or without a body goes through', async () => {
    const { get } = await start(({ session, url }, response) => {
      session.increment('visits')
      response.writeHead(url === '/304' ? 304 : 204).end()
    })
    expect([(await get('/304')).status, (await get('/204')).status]).toEqual([304, 204])
  })
})

describe('streaming', () => {
  test('a pipe waits for the store, then flows whole and in order', async () => {
    const chunks = Array.from({ length: 500 }, (_, index) => Buffer.alloc(10_000, String(index % 10)))
    let written = 0
    const { get } = await start(async ({ session }, response) => {
      session.set('theme', 'dark')
      const source = Readable.from(
        (function* () {
          for (const chunk of chunks) {
            written++
            yield chunk
          }
        })(),
      )
      await pipeline(source, response)
    })
    const response = await get()
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.concat(chunks))).toBe(true)
    expect(written).toBe(500)
  })

  test('a write while the answer is held says to wait', async () => {
    const results: unknown[] = []
    const { get } = await start(({ session }, response) => {
      session.set('theme', 'dark')
      results.push(response.write('a'))
      response.once('drain', () => {
        results.push('drain')
        response.end('b')
      })
    })
    expect(await (await get()).text()).toBe('ab')
    expect(results).toEqual([false, 'drain'])
  })
})

describe('requests whose session cannot be had', () => {
  test('requests whose session cannot be had are answered, and the app does not see them', async () => {
    let seen = 0
    const { get, store } = await start(({ session }, response) => {
      seen++
      session.signIn('alice')
      response.end()
    })
    await get()
    const epoch = await get('/', { headers: { 'session-epoch': 'AAAAAAAAAAAAAAAA' } })
    expect([epoch.status, (await epoch.json()).code]).toEqual([409, 'epoch-mismatch'])
    store.broken = true
    const response = await get()
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(seen).toBe(1)
  })

  test('a failure that is no SessionError goes to the app’s own error handler', async () => {
    const { get, errors } = await start((_request, response) => response.end(), {
      store: {
        ...memoryStore(),
        read: async () => {
          throw new TypeError('a bug')
        },
      },
    })
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'x'))
    const response = await get('/', { headers: { cookie: browser.cookie } })
    expect([response.status, await response.text()]).toEqual([500, ''])
    expect(errors).toHaveLength(1)
  })
})

describe('session routes', () => {
  test('the session routes work over HTTP, from the first batch to the sign-out', async () => {
    const { get } = await start((_request, response) => response.writeHead(404).end())
    const batch = JSON.stringify({
      client: 'client-1',
      number: 1,
      mutations: [{ id: 'mutation-1', kind: 'set', key: 'theme', value: 'dark' }],
    })
    const reply = await get(
      '/session/sync',
      post(JSON.stringify({ epoch: null, owner: null, since: 0, batch })),
    )
    expect(reply.status).toBe(200)
    const { epoch } = await reply.json()
    expect((await (await get('/session')).json()).keys).toEqual({ theme: [1, 'dark'] })
    const out = await get('/session', {
      ...post(''),
      method: 'DELETE',
      body: null,
      headers: { 'session-mirror': '1', 'sec-fetch-site': 'same-origin', 'session-epoch': epoch },
    })
    expect([out.status, out.headers.getSetCookie()[0]]).toEqual([
      200,
      'session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax',
    ])
    expect((await get('/other')).status).toBe(404)
  })

  test.each([
    ['a declared length that is too large', 'content-length: 10000000\r\n', 'x'.repeat(100), 413],
    [
      'a body that is too large',
      'transfer-encoding: chunked\r\n',
      `61a80\r\n${'x'.repeat(400_000)}\r\n`,
      413,
    ],
    ['bytes that are not UTF-8', 'content-length: 2\r\n', '\u00ff\u00fe', 400],
  ])(
    'the session routes answer %s before it is all there, and close',
    async (_name, header, body, status) => {
      const { origin } = await start((_request, response) => response.end())
      const socket = connect(Number(new URL(origin).port), '127.0.0.1')
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk.toString()
      })
      socket.on('error', () => socket.destroy())
      socket.write(
        `POST /session/sync HTTP/1.1\r\nhost: localhost\r\nsession-mirror: 1\r\nsec-fetch-site: same-origin\r\ncontent-type: application/json\r\n${header}\r\n`,
      )
      socket.write(body, 'latin1')
      await once(socket, 'close')
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(answer).toMatch(/connection: close/i)
    },
  )

  test('the session routes answer a body that stops coming', async () => {
    const { toCoreRequest } = await import('../../../src/server/http/request.ts')
    const { vi } = await import('vitest')
    vi.useFakeTimers()
    const stalled = new Request('http://localhost/', {
      method: 'POST',
      body: new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) }),
      duplex: 'half',
    } as RequestInit)
    const body = expect(toCoreRequest(stalled).body()).rejects.toMatchObject({ code: 'malformed' })
    await vi.advanceTimersByTimeAsync(10_000)
    await body
    vi.useRealTimers()
  })
})

describe('Express 5', () => {
  test('Express serves sessions, the session routes and their refusals', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const app = express()
    app.use(sessionMiddleware(sessions))
    app.use(express.json())
    app.post('/sign-in', (request, response) => {
      sessions.guard(request)
      const { session } = request as never as SessionRequest<Schema>
      session.signIn(request.body.name)
      response.json({ owner: session.owner })
    })
    app.get('/me', (request, response) => {
      response.json({ owner: (request as never as SessionRequest<Schema>).session.owner })
    })
    app.use(sessionErrors)
    const { get } = client(await listen(app))
    const signIn = (site: string) =>
      get('/sign-in', {
        method: 'POST',
        body: '{"name":"alice"}',
        headers: { 'content-type': 'application/json', 'sec-fetch-site': site },
      })
    const refused = await signIn('cross-site')
    expect([refused.status, (await refused.json()).code]).toEqual([403, 'cross-site'])
    expect(await (await signIn('same-origin')).json()).toEqual({ owner: 'alice' })
    expect(await (await get('/me')).json()).toEqual({ owner: 'alice' })
    expect((await (await get('/session')).json()).owner).toBe('alice')
    expect((await get('/nothing')).status).toBe(404)
  })

  test('a session route reads a body that a parser of Express has taken before it', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const app = express()
    app.use(express.json())
    app.use(sessionMiddleware(sessions))
    const { get } = client(await listen(app))
    expect((await get('/session/sync', post('{"epoch":null,"owner":null,"since":0}'))).status).toBe(200)
  })
})

describe('a fetch handler', () => {
  test('a fetch handler loads, runs, saves and answers; and answers the session routes', async () => {
    const { sessions } = createWorld()
    const handle = sessions.route(async (request, session) => {
      if (request.method === 'POST') sessions.guard(request)
      session.increment('visits')
      return Response.json({ visits: session.get('visits') }, { headers: { vary: 'Accept' } })
    })
    const first = await handle(new Request('http://localhost/app'))
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    expect(Object.fromEntries(first.headers)).toMatchObject({
      vary: 'Accept, Cookie',
      'cache-control': 'no-store',
    })
    const second = await handle(new Request('http://localhost/app', { headers: { cookie } }))
    expect(await second.json()).toEqual({ visits: 2 })
    const mirror = await handle(new Request('http://localhost/session', { headers: { cookie } }))
    expect((await mirror.json()).keys).toEqual({ visits: [2, 2] })
    const refused = await handle(new Request('http://localhost/app', { method: 'POST', headers: { cookie } }))
    expect([refused.status, (await refused.json()).code]).toEqual([403, 'cross-site'])
  })
})

describe('bodies of session routes', () => {
  const head =
    'Host: localhost\r\nSession-Mirror: 1\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n'

  /** What the server says to these bytes, sent one after another with a pause between. */
  async function say(origin: string, pieces: readonly string[], pause: number): Promise<string> {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('error', () => undefined)
    const closed = once(socket, 'close')
    for (const piece of pieces) {
      if (socket.destroyed) break
      socket.write(piece)
      await sleep(pause)
    }
    await Promise.race([closed, sleep(12_000)])
    socket.destroy()
    return text
  }

  test('compressed bodies are not understood, and nothing is unpacked', async () => {
    const { origin, store } = await start((_request, response) => response.end())
    const init = post('{}')
    const headers = { ...(init.headers as object), 'content-encoding': 'gzip' }
    const answer = await fetch(`${origin}/session/sync`, {
      ...init,
      body: gzipSync('x'.repeat(1e6)),
      headers,
    })
    expect([answer.status, store.calls]).toEqual([400, []])
  })

  test('bodies that come too slowly are given up after ten seconds, without asking the store', async () => {
    const { origin, store } = await start((_request, response) => response.end())
    const pieces = [
      `POST /session/sync HTTP/1.1\r\n${head}Content-Length: 1000\r\n\r\n`,
      ...'{"epoch":null,'.repeat(2),
    ]
    const answer = await say(origin, pieces, 400)
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"malformed"/)
    expect(answer.toLowerCase()).toContain('connection: close')
    expect(store.calls).toEqual([])
  })

  test('requests with headers that are too large never reach us', async () => {
    const { origin, store } = await start((_request, response) => response.end())
    const answer = await say(
      origin,
      [`GET /session HTTP/1.1\r\n${head}Cookie: ${'x'.repeat(20_000)}\r\n\r\n`],
      100,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(store.calls).toEqual([])
  })
})

describe('request.session', () => {
  test.each([
    ['null', null, /session\.destroy/],
    ['undefined', undefined, /session\.destroy/],
    ['an object', { user: 'ada' }, /session\.set/],
  ])(
    'assigning %s to request.session is refused with a sentence, and changes nothing',
    async (_, value, sentence) => {
      const refused: unknown[] = []
      const { get } = await start((request, response) => {
        const { session } = request
        try {
          Reflect.set(request, 'session', value)
        } catch (error) {
          refused.push(error)
        }
        response.end(String(request.session === session))
      })
      expect(await (await get()).text()).toBe('true')
      expect(refused).toEqual([expect.objectContaining({ code: 'invalid-option' })])
      expect(String(refused[0])).toMatch(sentence)
    },
  )

  test('request.session is shown among the properties of a request, and a framework may define it anew', async () => {
    const { get } = await start((request, response) => {
      const isShown = Object.keys(request).includes('session')
      Object.defineProperty(request, 'session', { value: 'mine', writable: true })
      response.end(`${isShown} ${String(request.session)}`)
    })
    expect(await (await get()).text()).toBe('true mine')
  })
})
