// Answers that no server of ours gives, or that come late: none signs anybody out, and none is hammered.
import { HttpResponse, http } from 'msw'
import { expect } from 'vitest'
import { quiet, test as base } from './harness.ts'

/** The server answers the next batch with this problem. */
const test = base.extend('answerOnce', ({ network }) => (code: string, status: number): void => {
  network.use(
    http.post('*/session/sync', () => HttpResponse.json({ code, status }, { status }), { once: true }),
  )
})

test('a server that asks to be left alone for a month is asked again within the hour, not within the millisecond', async ({
  network,
  openLive,
}) => {
  const session = await openLive()
  let requests = 0
  network.use(
    http.all('*/session*', () => {
      requests++
      const problem = { code: 'store-unavailable', status: 503 }
      return HttpResponse.json(problem, { status: 503, headers: { 'retry-after': '2592000' } })
    }),
  )
  await session.pull()
  await quiet(300)
  expect(requests).toBe(1)
})

test.for(['epoch-mismatch', 'stale'])(
  'a server that always says %s is not hammered',
  async (code, { network, signedIn }) => {
    const session = await signedIn()
    let requests = 0
    network.use(
      http.all('*/session*', ({ request }) => {
        requests++
        return request.url.endsWith('refresh')
          ? undefined
          : HttpResponse.json({ code, status: 409 }, { status: 409 })
      }),
    )
    await session.flush()
    await session.pull()
    expect(requests).toBeLessThan(20)
    expect(session.owner).toBe('ada')
  },
)

test('the same changes go out under a new client id, once, after “another batch has this number”', async ({
  signedIn,
  onServer,
  answerOnce,
}) => {
  const session = await signedIn()
  const { client } = session.inspect().local.outbox
  answerOnce('batch-fork', 409)
  expect(await session.increment('visits').acknowledged).toMatchObject({ code: 'ok' })
  expect(session.inspect().local.outbox.client).not.toBe(client)
  expect(await onServer((s) => s.get('visits'))).toBe(1)
})

test('the writers are told of “too large”, and the next write goes through', async ({
  signedIn,
  answerOnce,
}) => {
  const session = await signedIn()
  const refused: unknown[] = []
  session.on('refused', ({ mutation }) => refused.push(mutation.key))
  answerOnce('too-large', 413)
  expect(await session.set('note', 'refused').acknowledged).toEqual({ code: 'too-large' })
  expect(refused).toEqual(['note'])
  expect(session.get('note')).toBe('')
  expect(await session.set('note', 'taken').acknowledged).toMatchObject({ code: 'ok' })
})

test.for([
  ['ended', 401],
  ['expired', 401],
  ['lost', 409],
] as const)(
  'a pull asks again after “%s”, late and about an older cookie, and nobody is signed out',
  async ([code, status], { signedIn, answerOnce }) => {
    const session = await signedIn()
    answerOnce(code, status)
    expect(await session.set('note', 'still mine').acknowledged).toMatchObject({ code: 'ok' })
    expect([session.owner, session.status]).toEqual(['ada', { state: 'live' }])
  },
)
