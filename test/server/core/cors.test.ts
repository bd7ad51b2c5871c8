// An API on another origin: what its pages may read and send, and that nobody else may.
import express from 'express'
import { describe, expect, test } from 'vitest'
import { sessionErrors, sessionMiddleware } from '../../../src/node.ts'
import { createWorld } from '../harness.ts'
import { listen } from '../http.ts'

const friend = 'https://app.example.com'
const stranger = 'https://app.example.com.evil.example'

async function open(allowedOrigins: readonly string[] = [friend]) {
  const { sessions } = createWorld({ allowedOrigins, clock: Date.now })
  const app = express()
  app.use(sessionMiddleware(sessions))
  app.get('/api/theme', (request, response) => void response.json(sessionOf(request).get('theme')))
  app.post('/api/theme', (request, response) => {
    sessions.guard(request)
    sessionOf(request).set('theme', 'dark')
    response.json(true)
  })
  app.get('/api/fails', () => {
    throw new Error('It fails.')
  })
  app.use(sessionErrors)
  const sessionOf = (request: unknown) =>
    (request as { session: Awaited<ReturnType<typeof sessions.load>> }).session
  const origin = await listen(app)
  return (path: string, init: RequestInit & { headers: Record<string, string> }) => fetch(origin + path, init)
}

const cors = (response: Response): Record<string, string> =>
  Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')))

const readable = {
  'access-control-allow-origin': friend,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': 'session-revision, session-fresh-in, etag, retry-after',
}

describe('a page of an allowed origin', () => {
  test.each([
    ['/session', 200],
    ['/session/nothing', 404],
    ['/api/theme', 200],
    ['/api/fails', 500],
    ['/nothing', 404],
  ])('a page of an allowed origin may read %s, %i', async (path, status) => {
    const response = await (await open())(path, { headers: { origin: friend } })
    expect(response.status).toBe(status)
    expect(cors(response)).toEqual(readable)
    expect(response.headers.get('vary')).toMatch(/\bOrigin\b/)
  })

  test('a page of an allowed origin may send what its preflight asked for, on session routes and the app’s', async () => {
    const ask = await open()
    for (const path of ['/session/sync', '/api/theme']) {
      const headers = {
        origin: friend,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type, session-epoch',
      }
      const response = await ask(path, { method: 'OPTIONS', headers })
      expect(response.status).toBe(204)
      expect(cors(response)).toEqual({
        ...readable,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type, session-epoch',
        'access-control-max-age': '600',
      })
      expect(response.headers.get('vary')).toMatch(/\bOrigin\b/)
    }
  })

  test('a page of an allowed origin may change the session, whatever its Sec-Fetch-Site', async () => {
    const ask = await open()
    for (const site of ['same-site', 'cross-site']) {
      const headers = { origin: friend, 'sec-fetch-site': site }
      const response = await ask('/api/theme', { method: 'POST', headers })
      expect(response.status).toBe(200)
      expect(response.headers.getSetCookie()).toHaveLength(1)
    }
  })

  test('a page of an allowed origin may read why it was refused', async () => {
    const { sessions } = createWorld({ allowedOrigins: [friend] })
    const route = sessions.route(() => new Response('ok'))
    const request = new Request('https://api.example.com/session/sync', {
      method: 'POST',
      headers: { origin: friend },
    })
    const response = await route(request)
    expect(response.status).toBe(415)
    expect(cors(response)).toEqual(readable)
  })
})

describe('a page of any other origin', () => {
  test.each([stranger, 'null', 'http://app.example.com', 'https://APP.example.com', '*'])(
    'a page of %s may read nothing',
    async (origin) => {
      const ask = await open()
      for (const path of ['/session', '/api/theme', '/api/fails', '/nothing']) {
        const response = await ask(path, { headers: { origin } })
        expect(cors(response)).toEqual({})
        // Without this a shared cache could give the friend's answer to a stranger, or the other way round.
        expect(response.headers.get('vary')).toMatch(/\bOrigin\b/)
      }
    },
  )

  test('a page of any other origin gets no preflight, on no route', async () => {
    const ask = await open()
    for (const path of ['/session/sync', '/session', '/api/theme']) {
      const headers = { origin: stranger, 'access-control-request-method': 'POST' }
      expect(cors(await ask(path, { method: 'OPTIONS', headers }))).toEqual({})
    }
  })

  test('a page of any other origin changes nothing', async () => {
    const ask = await open()
    const headers = { origin: stranger, 'sec-fetch-site': 'cross-site' }
    const response = await ask('/api/theme', { method: 'POST', headers })
    expect(response.status).toBe(403)
    expect(response.headers.getSetCookie()).toEqual([])
  })
})

test('no answer has a header of CORS when there are no allowed origins', async () => {
  const ask = await open([])
  for (const path of ['/session', '/session/nothing', '/api/theme', '/api/fails']) {
    for (const method of ['GET', 'OPTIONS', 'POST', 'DELETE']) {
      const headers = { origin: friend, 'access-control-request-method': 'POST' }
      expect(cors(await ask(path, { method, headers }))).toEqual({})
    }
  }
})

test.each([
  ['a method with spaces', { 'access-control-request-method': 'GET X' }],
  ['a method in small letters', { 'access-control-request-method': 'post' }],
  ['endless header names', { 'access-control-request-headers': 'x'.repeat(501) }],
  ['header names that are none', { 'access-control-request-headers': 'a: b' }],
])('a preflight for %s is malformed', async (_, odd) => {
  const { sessions, browser } = createWorld({ allowedOrigins: [friend] })
  const headers = { origin: friend, 'access-control-request-method': 'POST', ...odd }
  const answer = await sessions.handle(browser().request('/api/x', { method: 'OPTIONS', headers }))
  expect(answer?.status).toBe(400)
})
