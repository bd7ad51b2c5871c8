// The app’s own requests through `session.fetch`.
import { HttpResponse, http } from 'msw'
import { expect } from 'vitest'
import { quiet, test } from './harness.ts'

test('session.fetch leaves requests without credentials, and other origins, alone', async ({
  network,
  server,
  signedIn,
}) => {
  const session = await signedIn()
  const seen: (string | null)[] = []
  network.use(
    http.all('http://localhost/api/*', ({ request }) => {
      seen.push(request.headers.get('session-epoch'))
      return HttpResponse.json({})
    }),
    http.all('https://tracker.example/*', ({ request }) => {
      seen.push(request.headers.get('session-epoch'), request.credentials)
      return HttpResponse.json({})
    }),
  )
  const calls = server.calls.length
  await session.fetch('http://localhost/api/public', { credentials: 'omit' })
  await session.fetch('https://tracker.example/collect')
  expect(seen).toEqual([null, null, 'same-origin'])
  expect(server.calls).toHaveLength(calls)
})

test('session.fetch ends at once when it is aborted, even while a refresh hangs', async ({
  network,
  server,
  signedIn,
}) => {
  const session = await signedIn()
  server.clock.advance(16 * 60)
  network.use(http.post('*/session/refresh', () => quiet(1500).then(() => undefined)))
  const started = performance.now()
  const aborted = session.fetch('http://localhost/api/me', { signal: AbortSignal.timeout(50) })
  await expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(performance.now() - started).toBeLessThan(1000)
  // The refresh still holds its lock; the next test should not wait for it.
  await quiet(1600)
})

test('a refresh that fails ahead of time is not tried again by every request', async ({
  network,
  server,
  signedIn,
}) => {
  const session = await signedIn()
  network.use(server.route('get', 'http://localhost/api/me', () => Response.json({})))
  let refreshes = 0
  network.use(
    http.post('*/session/refresh', () => {
      refreshes++
      return HttpResponse.error()
    }),
  )
  server.clock.advance(870)
  for (let count = 0; count < 5; count++)
    expect((await session.fetch('http://localhost/api/me')).status).toBe(200)
  // Once with `keepalive` and once without: the page may have none left.
  expect(refreshes).toBe(2)
})
