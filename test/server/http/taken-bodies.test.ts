// Bodies that something has taken before the session routes: read where they can be, and never called malformed.
import express from 'express'
import { describe, expect, test } from 'vitest'
import { sessionMiddleware } from '../../../src/node.ts'
import { createWorld } from '../harness.ts'
import { client, listen } from '../http.ts'

const mutations = [{ id: 'mutation-1', kind: 'set', key: 'theme', value: 'dark' }]
const batch = JSON.stringify({ client: 'client-of-test', number: 1, mutations })
const body = JSON.stringify({ epoch: null, owner: null, since: 0, batch })
const headers = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1', 'content-type': 'application/json' }
const post = { method: 'POST', headers, body }

type Parser = express.RequestHandler
const leave =
  (make: (text: string) => unknown): Parser =>
  (request, _response, next) => {
    express.text({ type: '*/*' })(request, _response, () => {
      request.body = make(String(request.body))
      next()
    })
  }

async function sync(parser: Parser): Promise<readonly [number, unknown]> {
  const { sessions } = createWorld({ clock: Date.now })
  const { get } = client(await listen(express().use(parser).use(sessionMiddleware(sessions))))
  const answer = await get('/session/sync', post)
  const { code, outcomes } = (await answer.json()) as {
    code?: string
    outcomes?: readonly { code: string }[]
  }
  return [answer.status, code ?? outcomes?.[0]?.code]
}

describe('a body that was taken before the session routes', () => {
  test.for<readonly [string, Parser]>([
    ['express.raw', express.raw({ type: '*/*' })],
    ['express.text', express.text({ type: '*/*' })],
    ['express.json', express.json()],
    ['express.urlencoded, which does not read it', express.urlencoded()],
    ['an ArrayBuffer', leave((text) => new TextEncoder().encode(text).buffer)],
    [
      'an empty object of a parser that did not read',
      (request, _response, next) => ((request.body = {}), next()),
    ],
  ])('a body that was taken is read: %s', async ([, parser]) => {
    expect(await sync(parser)).toEqual([200, 'ok'])
  })

  test.for<readonly [string, Parser]>([
    ['drained', leave(() => undefined)],
    ['drained, with an empty object left', leave(() => ({}))],
    ['base64', leave((text) => Buffer.from(text).toString('base64'))],
    ['HTML escaped', leave((text) => ({ ...JSON.parse(text), batch: batch.replaceAll('"', '&quot;') }))],
    ['another object', leave(() => new Map())],
  ])('a body that was taken is never called malformed: %s', async ([, parser]) => {
    expect(await sync(parser)).toEqual([500, 'unreadable-body'])
  })

  test('a fetch handler tells of a body that was taken, too', async () => {
    const { sessions } = createWorld()
    const request = new Request('http://localhost/session/sync', post)
    await request.text()
    const answer = await sessions.handleRequest(request)
    expect([answer?.status, await answer?.json()]).toEqual([
      500,
      expect.objectContaining({ code: 'unreadable-body' }),
    ])
  })
})
