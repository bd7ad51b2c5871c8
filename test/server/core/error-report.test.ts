// What is said to the people who run a server when its users see 503: once, one sentence, and no secret.
import { describe, expect, test as base, vi } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { memoryStore } from '../../../src/memory.ts'
import { sessionMiddleware } from '../../../src/node.ts'
import type { SessionError, Store } from '../../../src/server.ts'
import { wrapStore } from '../../../src/stores/wrapped-store.ts'
import { code, createWorld } from '../harness.ts'
import { client, listen } from '../http.ts'

const password = 'sesame-of-the-store'

const test = base
  /** What was written to the log since the test began. Nothing of it is printed. */
  .extend('said', { auto: true }, ({}, { onCleanup }): (() => string[]) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    onCleanup(() => log.mockRestore())
    return () => log.mock.calls.map((parameters) => parameters.join(' '))
  })

/** Its error tells a password, as some clients' errors do. */
function brokenStore(only: 'every operation' | 'writes'): Store {
  const reason = Object.assign(new Error(`redis://app:${password}@10.0.0.1`), { code: 'ECONNREFUSED' })
  const cause = Object.assign(new Error(`redis://app:${password}@10.0.0.1`, { cause: reason }), {
    code: 'cut',
  })
  return wrapStore(memoryStore(), ({ operation }, run) =>
    only === 'writes' && operation === 'read' ? run() : Promise.resolve({ kind: 'unavailable', cause }),
  )
}

async function signInTwice(world: ReturnType<typeof createWorld>): Promise<void> {
  for (const browser of [world.browser(), world.browser()])
    await expect(browser.app((session) => session.signIn('ada'))).rejects.toEqual(code('store-unavailable'))
}

describe('a store that cannot be reached', () => {
  test('a store that cannot be reached is told to the log once, with codes and without what the store said', async ({
    said,
  }) => {
    await signInTwice(createWorld({ store: brokenStore('every operation') }))
    expect(said()).toEqual([expect.stringContaining('"memory" does not answer (cut, ECONNREFUSED)')])
    expect(said().join()).not.toContain(password)
  })

  test('an address where nobody listens is told in words that name the store', async ({ said }) => {
    const store = memcachedStore({ servers: '127.0.0.1:9' })
    await signInTwice(createWorld({ store }))
    expect(said()).toEqual([expect.stringMatching(/"memcached" does not answer \(cut, ECONNREFUSED\)/)])
    await store.close()
  })

  test('a store that fails only at saves is told once', async ({ said }) => {
    await signInTwice(createWorld({ store: brokenStore('writes') }))
    expect(said()).toHaveLength(1)
  })

  test('a store that only a session route finds unreachable is told once', async ({ said }) => {
    const good = createWorld()
    const browser = good.browser()
    await browser.app((session) => session.signIn('ada'))
    const world = createWorld({ store: brokenStore('every operation') })
    for (const other of [world.browser(), world.browser()]) {
      other.cookie = browser.cookie
      expect((await other.get()).status).toBe(503)
    }
    expect(said()).toHaveLength(1)
  })

  test('onError is told instead of the log, with the cause', async ({ said }) => {
    const told: SessionError[] = []
    await signInTwice(
      createWorld({ store: brokenStore('every operation'), onError: (error) => told.push(error) }),
    )
    expect(told).toEqual([expect.objectContaining({ code: 'store-unavailable' })])
    expect(told[0]?.cause).toBeInstanceOf(Error)
    expect(said()).toEqual([])
  })

  test.for(['every operation', 'writes'] as const)(
    'the onError of the middleware is told, with the request, where %s fail',
    async (only, { said }) => {
      const { sessions } = createWorld({ store: brokenStore(only), clock: Date.now })
      const told: unknown[] = []
      const middleware = sessionMiddleware(sessions, {
        onError: (error, { url }) => told.push([url, error]),
      })
      const { get } = client(
        await listen((request, response) => {
          void middleware(request, response, () => {
            Reflect.get(request, 'session').set('theme', 'dark')
            response.end('done')
          })
        }),
      )
      expect([(await get('/a')).status, (await get('/b')).status]).toEqual([503, 503])
      expect(told).toEqual([['/a', expect.objectContaining({ code: 'store-unavailable' })]])
      expect(said()).toEqual([])
    },
  )
})

test('what users did is nobody’s fault, and is not told', async ({ said }) => {
  const world = createWorld()
  const browser = world.browser()
  await browser.app((session) => session.signIn('ada'))
  world.sleep(500_000)
  expect((await browser.get()).status).toBe(401)
  expect(said()).toEqual([])
})
