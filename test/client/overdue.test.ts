// What is kept of a session is not readable without a network for ever.
import { describe, expect, onTestFinished, vi } from 'vitest'
import { createSession } from 'session-mirror'
import { schema, test } from './harness.ts'

describe('a session that was not heard of for too long', () => {
  test('is shown until it has been over for as long as it would have lived unused, and then is wiped, unread', async ({
    server,
    signedIn,
    goOffline,
    open,
  }) => {
    const first = await signedIn()
    const { expiresAt, notedAt } = first.inspect().local.mirror
    const seconds = (expiresAt - notedAt) / 1000
    const unsent = first.set('note', 'unsent')
    goOffline()
    await unsent.stored
    first.close()
    server.clock.advance(2 * seconds - 30)
    const second = await open()
    expect([second.owner, second.get('user')]).toEqual(['ada', 'Ada'])
    second.close()
    server.clock.advance(60)
    const third = await open()
    expect([third.owner, third.get('user'), third.pending]).toEqual([null, undefined, 0])
    expect(third.status).toEqual({ state: 'signed-out', reason: 'expired' })
    // Kept for its owner.
    expect(third.inspect().local.parcels).toHaveLength(1)
  })

  test.for([
    [0, 1, null],
    [3600, 3000, 'ada'],
    [3600, 4000, null],
    [Number.POSITIVE_INFINITY, 400_000_000, 'ada'],
  ] as const)(
    'offlineSeconds: %d, looked at %d seconds after the end: %s',
    async ([offlineSeconds, after, owner], { server, signedIn, goOffline, open }) => {
      const first = await signedIn({ offlineSeconds })
      const { expiresAt, notedAt } = first.inspect().local.mirror
      goOffline()
      first.close()
      server.clock.advance((expiresAt - notedAt) / 1000 + after)
      expect((await open({ offlineSeconds })).owner).toBe(owner)
    },
  )

  test('a page that is open is wiped as well, within a minute', async ({ server, signedIn, goOffline }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
    onTestFinished(() => void vi.useRealTimers())
    const session = await signedIn({ offlineSeconds: 0, warnSeconds: 0 })
    goOffline()
    server.clock.advance(400_000_000)
    expect(session.owner).toBe('ada')
    await vi.advanceTimersByTimeAsync(61_000)
    await vi.advanceTimersByTimeAsync(61_000)
    await vi.waitFor(() => expect(session.owner).toBe(null))
  })

  test('with a network the server has the last word: one that is still used elsewhere goes on', async ({
    server,
    signedIn,
    open,
  }) => {
    const first = await signedIn({ offlineSeconds: 0 })
    const { expiresAt, notedAt } = first.inspect().local.mirror
    first.close()
    server.clock.advance((expiresAt - notedAt) / 1000 - 10)
    expect((await open({ offlineSeconds: 0 })).owner).toBe('ada')
  })

  test('a negative time is refused', () => {
    expect(() =>
      createSession({ schema, url: 'http://localhost/session', fetch, offlineSeconds: -1 }),
    ).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })
})
