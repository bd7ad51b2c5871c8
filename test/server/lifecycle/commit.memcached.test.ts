// Sessions on one real memcached: concurrent writers, restarts, a frozen server, a full one.
import { describe, expect } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { startMemcached } from '../../support/memcached.ts'
import { patientMilliseconds, test } from '../../support/memcached-test.ts'
import { concurrencyTests } from '../concurrency.ts'
import { createWorld, ignoreError } from '../harness.ts'

describe('on memcached', () => {
  concurrencyTests(test)

  test('a restart of memcached loses the session, which is reported, and a new one can begin', async ({
    memcached,
    open,
  }) => {
    const browser = createWorld({ store: open(), clock: Date.now }).browser()
    await browser.app((session) => session.signIn('alice'))
    expect((await browser.get()).message.owner).toBe('alice')
    await memcached.restart()
    await expect.poll(async () => (await browser.get()).code).toBe('lost')
    expect((await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }])).status).toBe(200)
    expect((await browser.get()).message.keys['visits']).toEqual([1, 1])
  })

  test('a frozen memcached is 503 within the deadline, and signs nobody out', async ({ memcached, open }) => {
    const browser = createWorld({
      store: open({ timeoutMilliseconds: 250 }),
      clock: Date.now,
      onError: ignoreError,
    }).browser()
    await browser.app((session) => session.signIn('alice'))
    await memcached.freeze()
    const started = performance.now()
    expect(await browser.get()).toMatchObject({ status: 503, code: 'store-unavailable', cookies: [] })
    expect(performance.now() - started).toBeLessThan(400)
    memcached.thaw()
    await expect.poll(async () => (await browser.get()).message.owner).toBe('alice')
  })

  test('a sign-out stays one while a slow request saves, 100 times', async ({ open }) => {
    const world = createWorld({ store: open(), clock: Date.now })
    for (let count = 0; count < 100; count++) {
      const browser = world.browser()
      await browser.app((session) => session.signIn('alice'))
      const slow = await world.sessions.load(browser.request('/app'))
      slow.set('theme', 'back')
      await Promise.allSettled([browser.copy().signOut(), slow.save()])
      expect((await browser.get()).code).toBe('ended')
    }
  })
})

test.each(['meta', 'classic'] as const)(
  'a save to a full memcached, in the dialect %s, fails and says why, and the session stays as it was',
  async (dialect) => {
    const full = await startMemcached(['-m', '2', '-M'])
    const store = memcachedStore({ servers: full.address, dialect, timeoutMilliseconds: patientMilliseconds })
    const browser = createWorld({ store, clock: Date.now, onError: ignoreError }).browser()
    await browser.app((session) => {
      session.signIn('ada')
      session.set('theme', 'before')
    })
    for (let index = 0; index < 100; index++) await store.create(`f${index}`, new Uint8Array(50_000), 60)
    const failure = browser.app(async (session) => {
      session.set('theme', 'x'.repeat(50_000))
      await session.save()
    })
    const cause = { code: 'out-of-memory', message: expect.stringMatching(/no room.*-m/) as string }
    await expect(failure).rejects.toMatchObject({ code: 'store-unavailable', cause })
    expect(await browser.app((session) => [session.owner, session.get('theme')])).toEqual(['ada', 'before'])
    await store.close()
    await full.kill()
  },
)

test('one request may save as often as it likes', async ({ open }) => {
  const store = open()
  const { sessions, browser } = createWorld({ store, clock: Date.now })
  const ada = browser()
  await ada.app(async (session) => {
    session.set('theme', 'one')
    await session.save()
    session.set('theme', 'two')
    await session.save()
    session.signIn('ada')
    await session.save()
    session.set('theme', 'three')
  })
  const again = await sessions.load(ada.request('/app'))
  again.increment('visits')
  await again.save()
  again.increment('visits')
  await again.save()
  expect(await ada.app((session) => [session.owner, session.get('theme'), session.get('visits')])).toEqual([
    'ada',
    'three',
    2,
  ])
})
