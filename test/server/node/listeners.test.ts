// Nothing that waits leaves a listener behind: on a request, on its answer, or on their connection.
import type { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { sessionMiddleware } from '../../../src/node.ts'
import { sendAnswer } from '../../../src/server/node/send-answer.ts'
import { sleep } from '../../support/waiting.ts'
import { createWorld } from '../harness.ts'
import { listen, start } from '../http.ts'

const counted = (emitter: EventEmitter): Record<string, number> =>
  Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]))

test('an answer in pieces that waits a thousand times for its client has no more listeners than one that waits once', async () => {
  const most: Record<string, number> = {}
  const origin = await listen((_request, response) => {
    async function* pieces(): AsyncGenerator<string> {
      for (let piece = 0; piece < 1000; piece++) {
        for (const [name, count] of Object.entries(counted(response)))
          most[name] = Math.max(most[name] ?? 0, count)
        yield 'x'.repeat(20_000)
      }
    }
    sendAnswer(response, { status: 200, headers: [], body: pieces() })
  })
  expect((await (await fetch(origin)).text()).length).toBe(20_000_000)
  expect(Math.max(...Object.values(most))).toBeLessThanOrEqual(2)
  expect(most['drain'] ?? 0).toBeLessThanOrEqual(1)
})

test('an event stream has as many listeners after many changes as after the first', async () => {
  const responses: ServerResponse[] = []
  const world = createWorld({ clock: Date.now })
  const middleware = sessionMiddleware(world.sessions)
  const origin = await listen((request, response) => {
    responses.push(response)
    void middleware(request, response, () => response.end())
  })
  const browser = world.browser()
  await browser.app((session) => session.signIn('ada'))
  const abort = new AbortController()
  const { body } = await fetch(`${origin}/session/events`, {
    headers: { cookie: browser.cookie },
    signal: abort.signal,
  })
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
  const counts: Record<string, number>[] = []
  for (let change = 0; change < 20; change++) {
    await browser.app((session) => session.increment('visits'))
    await reader?.read()
    const [response] = responses
    if (response !== undefined) counts.push(counted(response))
  }
  expect(counts).toHaveLength(20)
  expect(counts.at(-1)).toEqual(counts[1])
  abort.abort()
})

test('a request whose answer waits for the store again and again has as many listeners at its end as before', async () => {
  const counts: Record<string, number>[][] = []
  const { get } = await start(async (request, response) => {
    for (let piece = 0; piece < 20; piece++) {
      request.session.increment('visits')
      await request.session.save().catch(() => undefined)
      response.write('x'.repeat(100))
      await sleep(1)
      counts.push([counted(request), counted(response), counted(request.socket)])
    }
    response.end()
  })
  expect((await (await get()).text()).length).toBe(2000)
  expect(counts).toHaveLength(20)
  expect(counts.at(-1)).toEqual(counts[1])
})
