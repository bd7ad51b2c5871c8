// The end of a session as people meet it, with times that are the server's and clocks that stand, jump and sleep.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { quiet, server, signedIn } from './harness.ts'

/** The browser's clock: `now` is wall time, `performance.now` what the machine was awake. */
let wall = 0
let awake = 0
beforeEach(() => {
  wall = 1_900_000_000_000
  awake = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => awake)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const day = 86_400
/** Time passes for everybody. */
async function pass(seconds: number, { asleep = false } = {}): Promise<void> {
  server.clock.advance(seconds)
  wall += seconds * 1000
  if (!asleep) awake += seconds * 1000
  // Timers look at least once a minute.
  await vi.advanceTimersByTimeAsync(asleep ? 0 : 61_000)
}
const now = (): number => wall
const leftOf = (session: { readonly expiresAt: Date | null }): number =>
  Math.round(((session.expiresAt?.getTime() ?? 0) - wall) / 1000)

describe('how long a session has', () => {
  test('the time that is left is what the server said, less what passed since', async () => {
    const session = await signedIn({ now })
    expect(leftOf(session)).toBe(day)
    await pass(3600)
    expect(leftOf(session)).toBe(day - 3600)
    await session.pull()
    expect(leftOf(session)).toBe(day)
  })

  test('without a session there is no end', async () => {
    const session = await signedIn({ now })
    await session.signOut()
    expect(session.expiresAt).toBeNull()
  })

  test('the time that the machine slept counts', async () => {
    const session = await signedIn({ now })
    await pass(8 * 3600, { asleep: true })
    expect(leftOf(session)).toBe(day - 8 * 3600)
  })

  test('a clock that was set back makes the session no longer', async () => {
    const session = await signedIn({ now })
    await pass(3600)
    wall -= day * 1000
    expect(leftOf(session)).toBe(day - 3600)
  })
})

describe('a warning', () => {
  test('the app is warned two minutes before the end, once', async () => {
    const session = await signedIn({ now })
    const told: number[] = []
    session.on('expiring', ({ secondsLeft }) => told.push(secondsLeft))
    await pass(day - 200)
    expect(told).toEqual([])
    await pass(90)
    expect(told).toEqual([110])
    await pass(20)
    expect(told).toEqual([110])
  })

  test('the warning comes as early as the app wants it, and again after the session was extended', async () => {
    const session = await signedIn({ now, warnSeconds: 600 })
    const told: number[] = []
    session.on('expiring', ({ secondsLeft }) => told.push(secondsLeft))
    await pass(day - 500)
    expect(told).toEqual([500])
    expect(await session.extend()).toBe(true)
    expect(leftOf(session)).toBe(day)
    await pass(day - 400)
    expect(told).toEqual([500, 400])
  })

  test('the warning does not ask the server: that alone would keep an idle session alive', async () => {
    await signedIn({ now })
    const before = server.calls.length
    await pass(day - 100)
    await pass(50)
    expect(server.calls.length).toBe(before)
  })
})

describe('the end', () => {
  test('the end is the server’s word, asked for when the estimate and a cookie’s time are over', async () => {
    const session = await signedIn({ now })
    await pass(day + 60)
    expect(session.status.state).toBe('live')
    await pass(900)
    await expect.poll(() => session.status).toEqual({ state: 'signed-out', reason: 'expired' })
  })

  test('a clock that was set forward by a day does not end the session', async () => {
    const session = await signedIn({ now })
    wall += (day + 3600) * 1000
    await vi.advanceTimersByTimeAsync(61_000)
    await expect.poll(() => leftOf(session)).toBe(day)
    expect(session.status).toEqual({ state: 'live' })
    expect(session.owner).toBe('ada')
  })

  test('after a night the first request of the app goes out with a refreshed cookie', async () => {
    const session = await signedIn({ now })
    await pass(8 * 3600, { asleep: true })
    const before = server.calls.length
    await session.fetch('http://localhost/api/me').catch(() => undefined)
    expect(server.calls[before]).toBe('POST /session/refresh 200')
  })

  test('extending a session that is over says so', async () => {
    const session = await signedIn({ now })
    server.clock.advance(2 * day)
    expect(await session.extend()).toBe(false)
    await expect.poll(() => session.status).toEqual({ state: 'signed-out', reason: 'expired' })
  })

  test('extending without a network says so, and changes nothing', async () => {
    const session = await signedIn({ now, fetch: failing() })
    expect(await session.extend()).toBe(false)
    expect(session.owner).toBe('ada')
  })
})

/** The network of `signedIn`, until it has signed in. */
function failing(): (request: Request) => Promise<Response> {
  return (request) =>
    request.url.endsWith('/refresh') ? Promise.reject(new TypeError('offline')) : fetch(request)
}

test('nothing runs on after the session was closed', async () => {
  const session = await signedIn({ now })
  session.close()
  await pass(2 * day)
  await quiet(0)
  expect(server.calls.at(-1)).not.toContain('401')
})
