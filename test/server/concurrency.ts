// What must hold on every store when many write one session at once.
import { expect } from 'vitest'
import { defineSession, writable } from '../../src/schema.ts'
import { createSessions } from '../../src/server.ts'
import type { CoreRequest } from '../../src/server.ts'
import type { Store } from '../../src/stores/store.ts'
import { secrets } from './harness.ts'
import { sleep } from '../support/waiting.ts'
import { inProcessTime } from '../support/process-time.ts'

const names = Array.from({ length: 200 }, (_, index) => `key${index}`)
const schema = defineSession({
  ...Object.fromEntries(names.map((name) => [name, writable<number>()])),
  visits: writable.counter(),
})

/** Declares one test. `open` gives another connection to the same store, as another server has. */
type DeclareTest = (name: string, run: (context: { readonly open: () => Store }) => Promise<void>) => void

export function concurrencyTests(test: DeclareTest): void {
  const serve = (store: Store) => createSessions({ schema, secrets, store })
  type Sessions = ReturnType<typeof serve>

  function toRequest(cookie: string): CoreRequest {
    return {
      method: 'POST',
      url: '/app',
      secure: false,
      host: 'localhost',
      header: (name) => ({ cookie, 'sec-fetch-site': 'same-origin' })[name],
      body: async () => '',
    }
  }

  async function begin(sessions: Sessions): Promise<CoreRequest> {
    const session = await sessions.load(toRequest(''))
    session.increment('visits')
    await session.save()
    const [line = ''] = sessions.answer(session, new Response()).headers.getSetCookie()
    return toRequest(line.split(';')[0] ?? '')
  }

  async function writeAll(request: CoreRequest, servers: readonly Sessions[], pause: number): Promise<void> {
    const writes = names.map(async (name, index) => {
      const session = await servers[index % servers.length]?.load(request)
      if (pause > 0) await sleep(pause)
      session?.set(name as never, index as never)
      session?.increment('visits')
      await session?.save()
    })
    await Promise.all(writes)
  }

  async function expectAll(sessions: Sessions, request: CoreRequest): Promise<void> {
    const session = await sessions.load(request)
    expect(names.filter((name, index) => session.get(name as never) === index)).toHaveLength(200)
    expect(session.get('visits')).toBe(201)
    expect(session.revision).toBe(201)
  }

  async function keepsAll(store: Store, pauseMilliseconds: number): Promise<void> {
    const sessions = serve(store)
    const request = await begin(sessions)
    const { milliseconds } = await inProcessTime(() => writeAll(request, [sessions], pauseMilliseconds))
    await expectAll(sessions, request)
    // The budget is 250 ms on a quiet machine.
    expect(milliseconds).toBeLessThan(1000)
  }

  test('200 requests that each set another key at once keep all 200', ({ open }) => keepsAll(open(), 0))

  test('200 requests that each set another key, after 5 ms of work, keep all 200', ({ open }) =>
    keepsAll(open(), 5))

  test('200 requests at two servers of one store keep all 200', async ({ open }) => {
    const servers = [serve(open()), serve(open())]
    const [first] = servers
    if (first === undefined) return
    const request = await begin(first)
    await writeAll(request, servers, 1)
    await expectAll(first, request)
  })

  test('a change that throws at the end is refused alone', async ({ open }) => {
    const sessions = serve(open())
    const request = await begin(sessions)
    const open3 = await Promise.all([0, 1, 2].map(() => sessions.load(request)))
    let isSaving = false
    open3[0]?.increment('visits')
    open3[1]?.update('visits', (visits) => {
      if (isSaving) throw new Error('no')
      return visits + 1
    })
    open3[2]?.increment('visits')
    isSaving = true
    const saved = await Promise.allSettled(open3.map((session) => session.save()))
    expect(saved.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await sessions.load(request)).get('visits')).toBe(3)
  })
}
