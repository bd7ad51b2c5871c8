// The testing door in a real browser: msw's worker, the real server core in the page, the real SDK.
import { setupWorker } from 'msw/browser'
import { afterAll, expect, test } from 'vitest'
import { createSession } from 'session-mirror'
import { defineSession, readable, writable } from 'session-mirror/schema'
import { createTestServer } from 'session-mirror/testing'

const schema = defineSession({
  user: readable<string>(),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
})
const server = createTestServer({ schema, base: '/msw-session' })
const worker = setupWorker(
  ...server.handlers,
  server.route('post', '/msw-api/sign-in', (_request, session) => {
    session.signIn('ada')
    session.set('user', 'Ada')
    return Response.json({ ok: true })
  }),
)
afterAll(() => worker.stop())

test('an app’s tests run against the real server core, with cookies, in the browser', async () => {
  await worker.start({ quiet: true })
  const session = createSession({ schema, url: '/msw-session', now: server.clock.now })
  await session.ready
  expect(await session.set('note', 'hello').acknowledged).toMatchObject({ code: 'ok' })

  const answer = await session.fetch('/msw-api/sign-in', { method: 'POST' })
  expect(await answer.json()).toEqual({ ok: true })
  expect([session.owner, session.get('user'), session.get('note')]).toEqual(['ada', 'Ada', ''])

  server.store.isDown = true
  const write = session.increment('visits')
  await session.flush()
  expect(session.status).toEqual({ state: 'stale', reason: 'unavailable' })
  server.store.isDown = false
  await session.flush()
  expect(await write.acknowledged).toMatchObject({ code: 'ok' })

  server.clock.advance(2 * 86_400)
  await session.pull()
  expect(session.status).toEqual({ state: 'signed-out', reason: 'expired' })
  session.close()
})
