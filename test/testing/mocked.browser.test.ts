// The testing door with a worker: the real session worker in control of the page, msw's handlers in the page, and between
// them one script. What the session's worker sends, the handlers answer.
import { HttpResponse, http } from 'msw'
import { setupWorker } from 'msw/browser'
import { afterEach, expect, test as base } from 'vitest'
import { type Session, createSession } from 'session-mirror'
import { defineSession, readable, writable } from 'session-mirror/schema'
import { createTestServer, mockedWorker } from 'session-mirror/testing'
import { until } from '../support/waiting.ts'

const schema = defineSession({ user: readable<string>(), note: writable<string>({ default: '' }) })
const routes = '/mocked-session'
const wanted = { url: '/mocked/worker.js', api: ['/mocked-api/'], scope: '/' }
const server = createTestServer({ schema, base: routes })
const worker = setupWorker(
  ...server.handlers,
  server.route('post', '/mocked-api/sign-in', (_request, session) => {
    session.signIn('ada')
    session.set('user', 'Ada')
    return Response.json({ ok: true })
  }),
  server.route('post', '/mocked-api/order', async (request, session) => {
    const epoch = request.headers.get('session-epoch')
    return Response.json({ owner: session.owner, epoch, body: await request.text() })
  }),
)

const test = base.extend(
  'session',
  { scope: 'file', auto: true },
  async ({}, { onCleanup }): Promise<Session<typeof schema>> => {
    await worker.start({ quiet: true, serviceWorker: mockedWorker(wanted, routes) })
    // The handlers first: what the session asks at its start is theirs to answer.
    const session = createSession({ schema, url: routes, worker: wanted })
    onCleanup(async () => {
      session.close()
      worker.stop()
      // Takes effect when this page is gone: the next test file has the scope for itself.
      await (await navigator.serviceWorker.getRegistration())?.unregister()
    })
    await session.ready
    // An earlier test file's worker may still have the page for a moment.
    await until(
      'the worker controls the page',
      () => navigator.serviceWorker.controller?.scriptURL.includes(wanted.url) === true,
    )
    return session
  },
)
afterEach(() => worker.resetHandlers())

const calls = (call: string): number => server.calls.filter((one) => one === call).length

test('one script controls the page, and the page’s plain requests get the session', async ({ session }) => {
  const registration = await navigator.serviceWorker.ready
  expect(registration.active?.scriptURL).toContain(
    '/mocked/worker.js?session=%2Fmocked-session&api=%2Fmocked-api%2F',
  )
  expect(navigator.serviceWorker.controller?.scriptURL).toBe(registration.active?.scriptURL)
  expect(await fetch('/mocked-api/sign-in', { method: 'POST' }).then((response) => response.json())).toEqual({
    ok: true,
  })
  await session.pull()
  expect([session.owner, session.get('user')]).toEqual(['ada', 'Ada'])

  const answer = await fetch('/mocked-api/order', { method: 'POST', body: 'two apples' })
  const { epoch } = session.inspect().local.mirror
  expect(epoch).not.toBeNull()
  expect(await answer.json()).toEqual({ owner: 'ada', epoch, body: 'two apples' })
})

test('a cookie that is stale is refreshed by the worker, through the handlers, and the request repeated with its body', async () => {
  server.clock.advance(16 * 60)
  const before = calls('POST /mocked-session/refresh 200')
  const answers = await Promise.all(
    Array.from({ length: 5 }, (_, count) =>
      fetch('/mocked-api/order', { method: 'POST', body: `order ${count}` }),
    ),
  )
  expect(await Promise.all(answers.map((answer) => answer.json()))).toMatchObject(
    Array.from({ length: 5 }, (_, count) => ({ owner: 'ada', body: `order ${count}` })),
  )
  expect(calls('POST /mocked-session/refresh 200') - before).toBe(1)
})

test('a handler for once answers what the worker sends', async () => {
  worker.use(
    http.post('/mocked-api/order', () => HttpResponse.json({ sold: 'out' }, { status: 409 }), { once: true }),
  )
  const first = await fetch('/mocked-api/order', { method: 'POST' })
  expect([first.status, await first.json()]).toEqual([409, { sold: 'out' }])
  expect((await fetch('/mocked-api/order', { method: 'POST' })).status).toBe(200)
})

test('requests that are not listed go past the session, to the handlers and to the network', async () => {
  worker.use(
    http.get('/mocked-other', ({ request }) =>
      HttpResponse.json({ epoch: request.headers.get('session-epoch') }),
    ),
  )
  expect(await fetch('/mocked-other').then((response) => response.json())).toEqual({ epoch: null })
  expect(await fetch('/mocked/worker.js').then((response) => response.headers.get('content-type'))).toBe(
    'text/javascript',
  )
})
