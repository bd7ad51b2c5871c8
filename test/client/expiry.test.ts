// The end of a session as people meet it, with times that are the server's and clocks that stand, jump and sleep.
import { HttpResponse, http } from 'msw'
import { afterEach, describe, expect, vi } from 'vitest'
import type { TestServer } from 'session-mirror/testing'
import { type Schema, quiet, test as base } from './harness.ts'

const day = 86_400

/** The browser's clock: `now` is wall time, `performance.now` the time that the machine was awake. */
class Clock {
  #wall = 1_900_000_000_000
  #awake = 1000
  readonly #server: TestServer<Schema>

  constructor(server: TestServer<Schema>) {
    this.#server = server
  }

  readonly now = (): number => this.#wall
  readonly awake = (): number => this.#awake

  /** Somebody sets the wall clock forward or, by less than zero, back. */
  set(seconds: number): void {
    this.#wall += seconds * 1000
  }

  /** Time passes for everybody. */
  async pass(seconds: number, { asleep = false } = {}): Promise<void> {
    this.#server.clock.advance(seconds)
    this.#wall += seconds * 1000
    if (!asleep) this.#awake += seconds * 1000
    // Timers look at least once a minute.
    await vi.advanceTimersByTimeAsync(asleep ? 0 : 61_000)
  }

  /** The seconds that the session has left. */
  leftOf(session: { readonly expiresAt: Date | null }): number {
    return Math.round(((session.expiresAt?.getTime() ?? 0) - this.#wall) / 1000)
  }
}

const test = base.extend('clock', { auto: true }, ({ server }) => {
  const clock = new Clock(server)
  vi.spyOn(performance, 'now').mockImplementation(clock.awake)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
  return clock
})
// Before the harness waits for the last answers, in real time.
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('how long a session has', () => {
  test('the time that is left is what the server said, less what passed since', async ({
    clock,
    signedIn,
  }) => {
    const session = await signedIn({ now: clock.now })
    expect(clock.leftOf(session)).toBe(day)
    await clock.pass(3600)
    expect(clock.leftOf(session)).toBe(day - 3600)
    await session.pull()
    expect(clock.leftOf(session)).toBe(day)
  })

  test('a page without a session shows no end', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    await session.signOut()
    expect(session.expiresAt).toBeNull()
  })

  test('the time that the machine slept counts', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    await clock.pass(8 * 3600, { asleep: true })
    expect(clock.leftOf(session)).toBe(day - 8 * 3600)
  })

  test('a clock that was set back makes the session no longer', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    await clock.pass(3600)
    clock.set(-day)
    expect(clock.leftOf(session)).toBe(day - 3600)
  })
})

describe('a warning', () => {
  test('the app is warned two minutes before the end, once', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    const told: number[] = []
    session.on('expiring', ({ secondsLeft }) => told.push(secondsLeft))
    await clock.pass(day - 200)
    expect(told).toEqual([])
    await clock.pass(90)
    expect(told).toEqual([110])
    await clock.pass(20)
    expect(told).toEqual([110])
  })

  test('the warning comes as early as the app wants it, and again after the session was extended', async ({
    clock,
    signedIn,
  }) => {
    const session = await signedIn({ now: clock.now, warnSeconds: 600 })
    const told: number[] = []
    session.on('expiring', ({ secondsLeft }) => told.push(secondsLeft))
    await clock.pass(day - 500)
    expect(told).toEqual([500])
    expect(await session.extend()).toBe(true)
    expect(clock.leftOf(session)).toBe(day)
    await clock.pass(day - 400)
    expect(told).toEqual([500, 400])
  })

  test('the warning does not ask the server: that alone would keep an idle session alive', async ({
    clock,
    server,
    signedIn,
  }) => {
    await signedIn({ now: clock.now })
    const before = server.calls.length
    await clock.pass(day - 100)
    await clock.pass(50)
    expect(server.calls.length).toBe(before)
  })
})

describe('the end', () => {
  test('the end is the server’s word, asked for when the estimate and a cookie’s time are over', async ({
    clock,
    signedIn,
  }) => {
    const session = await signedIn({ now: clock.now })
    await clock.pass(day + 60)
    expect(session.status.state).toBe('live')
    await clock.pass(900)
    await expect.poll(() => session.status).toEqual({ state: 'signed-out', reason: 'expired' })
  })

  test('a clock that was set forward by a day does not end the session', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    clock.set(day + 3600)
    await vi.advanceTimersByTimeAsync(61_000)
    await expect.poll(() => clock.leftOf(session)).toBe(day)
    expect(session.status).toEqual({ state: 'live' })
    expect(session.owner).toBe('ada')
  })

  test('the first request of the app after a night goes out with a refreshed cookie', async ({
    clock,
    network,
    server,
    signedIn,
  }) => {
    const session = await signedIn({ now: clock.now })
    await clock.pass(8 * 3600, { asleep: true })
    const before = server.calls.length
    network.use(http.get('http://localhost/api/me', () => new HttpResponse()))
    await session.fetch('http://localhost/api/me')
    expect(server.calls[before]).toBe('POST /session/refresh 200')
  })

  test('extending a session that is over says so', async ({ clock, server, signedIn }) => {
    const session = await signedIn({ now: clock.now })
    server.clock.advance(2 * day)
    expect(await session.extend()).toBe(false)
    await expect.poll(() => session.status).toEqual({ state: 'signed-out', reason: 'expired' })
  })

  test('extending without a network says so, and changes nothing', async ({ clock, signedIn }) => {
    const session = await signedIn({ now: clock.now, fetch: failing() })
    expect(await session.extend()).toBe(false)
    expect(session.owner).toBe('ada')
  })
})

/** The network of `signedIn`, until it has signed in. */
function failing(): (request: Request) => Promise<Response> {
  return (request) =>
    request.url.endsWith('/refresh') ? Promise.reject(new TypeError('offline')) : fetch(request)
}

test('nothing runs on after the session was closed', async ({ clock, server, signedIn }) => {
  const session = await signedIn({ now: clock.now })
  session.close()
  await clock.pass(2 * day)
  await quiet(0)
  expect(server.calls.at(-1)).not.toContain('401')
})
