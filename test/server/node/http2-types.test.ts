// What node:http2 gives fits the types of the middleware: this file compiles, and runs once over cleartext HTTP/2.
import { once } from 'node:events'
import { type Http2ServerRequest, connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { type SessionRequest, sessionMiddleware } from '../../../src/node.ts'
import { type Schema, createWorld } from '../harness.ts'

test('requests and answers of node:http2 fit the middleware, and the sessions, without a cast', async () => {
  const { sessions } = createWorld({ clock: Date.now })
  const middleware = sessionMiddleware(sessions)
  const server = createServer((request, response) => {
    void middleware(request, response, async () => {
      const { session } = request as SessionRequest<Schema, Http2ServerRequest>
      sessions.guard(request)
      expect(await sessions.load(request)).toBe(session)
      expect((await sessions.read(request)).owner).toBe(null)
      session.signIn('ada')
      response.end('in')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    const stream = client.request({ ':method': 'POST', 'sec-fetch-site': 'same-origin' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect([headers[':status'], headers['set-cookie']]).toEqual([200, [expect.stringMatching(/^session=/)]])
    stream.resume()
    await once(stream, 'close')
  } finally {
    client.close()
    server.close()
  }
})
