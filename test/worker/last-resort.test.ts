// Background Sync without a page, against the real server core: what is sent, what is settled, and what is left alone.
import { getResponse, http } from 'msw'
import type { Session, SessionOptions } from 'session-mirror'
import { describe, expect } from 'vitest'
import { createRefresh } from '../../src/mirror/sync/refresh.ts'
import { databaseStorage } from '../../src/mirror/storage/database-storage.ts'
import { type LocalState, pendingOf } from '../../src/mirror/steps/local-state.ts'
import { withLock } from '../../src/mirror/tabs/lock.ts'
import { createTransport } from '../../src/mirror/wire/transport.ts'
import { sharedNamesOf } from '../../src/protocol/names.ts'
import type { Epoch } from '../../src/protocol/state.ts'
import { WorkerSession } from '../../src/worker/worker-session.ts'
import { sendRest } from '../../src/worker/last-resort.ts'
import { type Schema, test as base } from '../client/harness.ts'

const url = 'http://localhost/session'
const names = sharedNamesOf(url)
const test = base
  /** What the worker told the pages. */
  .extend('told', (): unknown[] => [])
  /** What the worker does when the browser calls it. */
  .extend('callWorker', ({ server, told }) => async (): Promise<void> => {
    const known = new WorkerSession(names)
    await known.reload()
    const transport = createTransport(url, { fetch })
    const refresh = createRefresh({
      known,
      request: transport.refresh,
      turn: (work) => withLock(names.refreshLock, work),
      now: server.clock.now,
    })
    await sendRest({
      names,
      transport,
      refresh,
      now: server.clock.now,
      tell: (notice) => void told.push(notice),
    })
  })
  /** The requests that change something, so far. */
  .extend(
    'calls',
    ({ server }) =>
      (): string[] =>
        server.calls.filter((call) => !call.startsWith('GET')),
  )
  /** Somebody is signed in, writes without a network, and closes the last page. */
  .extend(
    'leftUnsent',
    ({ signedIn }) =>
      (writes: number): Promise<void> =>
        dieOffline(signedIn, async (session) => {
          for (let count = 0; count < writes; count++) {
            await session.increment('visits').stored
            // Each failed attempt seals what there is: the rest stays open behind it.
            if (count % 2 === 0) await session.flush()
          }
        }),
  )

async function onDisk(): Promise<LocalState> {
  const storage = databaseStorage(names.database)
  const state = await storage.load()
  storage.close()
  return state
}
/**
 * A page that loses its network, works on and is closed. Its network never comes back: a request that it was about to make
 * would otherwise do the worker's work.
 */
async function dieOffline(
  begin: (options: Partial<SessionOptions<Schema>>) => Promise<Session<Schema>>,
  work: (session: Session<Schema>) => Promise<unknown>,
): Promise<void> {
  let isOnline = true
  const session = await begin({
    fetch: (request) => (isOnline ? fetch(request) : Promise.reject(new TypeError('offline'))),
  })
  isOnline = false
  await work(session)
  session.close()
}

test('Background Sync sends what was sealed and what came after it, settles both, and keeps the mirror in step', async ({
  open,
  onServer,
  told,
  callWorker,
  calls,
  leftUnsent,
}) => {
  await leftUnsent(5)
  await callWorker()
  expect(await onServer((session) => session.get('visits'))).toBe(5)
  const state = await onDisk()
  expect(pendingOf(state)).toEqual([])
  expect(state.mirror.keys['visits']?.[1]).toBe(5)
  expect(told.length).toBeGreaterThan(0)
  // The next page finds it all done.
  const before = calls().length
  const next = await open()
  await next.pull()
  expect([next.get('visits'), next.pending, calls().length - before]).toEqual([5, 0, 0])
})

test('Background Sync sends nothing when nothing is left', async ({ server, signedIn, callWorker }) => {
  const session = await signedIn()
  session.close()
  const before = server.calls.length
  await callWorker()
  expect(server.calls.length).toBe(before)
})

test('a server that cannot be reached is asked again by the browser, and nothing changes', async ({
  server,
  onServer,
  callWorker,
  leftUnsent,
}) => {
  await leftUnsent(3)
  const before = await onDisk()
  server.store.isDown = true
  await expect(callWorker()).rejects.toThrow()
  expect(pendingOf(await onDisk())).toEqual(pendingOf(before))
  server.store.isDown = false
  await callWorker()
  expect(await onServer((session) => session.get('visits'))).toBe(3)
})

test('a stale cookie is refreshed first', async ({ server, onServer, callWorker, calls, leftUnsent }) => {
  await leftUnsent(2)
  server.clock.advance(16 * 60)
  const before = calls().length
  await callWorker()
  expect(calls().slice(before)).toEqual([
    'POST /session/refresh 200',
    'POST /session/sync 200',
    'POST /session/sync 200',
  ])
  expect(await onServer((session) => session.get('visits'))).toBe(2)
})

test('a sign-out goes before everything, once, and is settled', async ({
  signedIn,
  onServer,
  callWorker,
  calls,
}) => {
  await dieOffline(signedIn, (session) => session.signOut())
  await callWorker()
  expect(calls().filter((call) => call.startsWith('DELETE'))).toHaveLength(1)
  expect((await onDisk()).mirror.leaving).toBeNull()
  expect(await onServer((s) => s.owner)).toBeNull()
  await callWorker()
  expect(calls().filter((call) => call.startsWith('DELETE'))).toHaveLength(1)
})

test('a sign-out everywhere says so, and the next page can tell that it is done', async ({
  signedIn,
  callWorker,
}) => {
  await dieOffline(signedIn, async (session) => {
    expect(await session.signOut({ everywhere: true })).toMatchObject({
      server: 'queued',
      everywhere: 'queued',
    })
  })
  await callWorker()
  expect((await onDisk()).mirror.everywhere).toBe('done')
})

describe('an owner who has left', () => {
  test('changes of an owner who has left are not sent with another owner’s cookie: they stay for a page to park', async ({
    server,
    open,
    onServer,
    callWorker,
    leftUnsent,
  }) => {
    await leftUnsent(3)
    await server.change((session) => session.signIn('grace'))
    await callWorker()
    expect(await onServer((session) => [session.owner, session.get('visits')])).toEqual(['grace', 0])
    expect(pendingOf(await onDisk())).toHaveLength(3)
    const next = await open()
    await next.pull()
    expect([next.owner, next.get('visits'), next.pending]).toEqual(['grace', 0, 0])
    expect(next.inspect().local.parcels).toHaveLength(1)
  })

  test('changes of a session that is over stay, too', async ({ server, callWorker, leftUnsent }) => {
    await leftUnsent(3)
    await server.sessions.revokeAll('ada')
    await callWorker()
    expect(pendingOf(await onDisk())).toHaveLength(3)
  })
})

test('a write from before anybody knew who is here waits for a page to find out', async ({
  server,
  open,
  callWorker,
  calls,
}) => {
  await server.change((session) => session.signIn('ada'))
  const session = await open({ fetch: () => Promise.reject(new TypeError('offline')) })
  await session.set('note', 'whose?').stored
  session.close()
  const before = calls().length
  await callWorker()
  expect(calls().length).toBe(before)
  const next = await open()
  await next.pull()
  await next.flush()
  expect([next.owner, next.get('note'), next.pending]).toEqual(['ada', 'whose?', 0])
  expect(next.inspect().local.parcels).toEqual([])
})

test('a page’s work in the same moment is not undone', async ({ open, onServer, callWorker, leftUnsent }) => {
  await leftUnsent(3)
  const next = await open()
  await Promise.all([callWorker(), next.flush(), next.set('note', 'meanwhile').acknowledged])
  await next.flush()
  expect(await onServer((session) => [session.get('visits'), session.get('note')])).toEqual([3, 'meanwhile'])
  expect(pendingOf(await onDisk())).toEqual([])
})

test('an answer that comes after somebody has signed in does not take the mirror back', async ({
  network,
  server,
  openLive,
  callWorker,
}) => {
  await dieOffline(openLive, (session) => session.set('note', 'nobody’s').stored)
  const storage = databaseStorage(names.database)
  // The server has answered the batch of a visitor; on its way back somebody signs in, and a page has noted that.
  network.use(
    http.post(
      'http://localhost/session/sync',
      async ({ request }) => {
        const answer = await getResponse([...server.handlers], request.clone())
        await storage.transact((state) => {
          const ada = { epoch: 'ADAADAADAADAADAA' as Epoch, owner: 'ada', revision: 9 }
          return { ...state, mirror: { ...state.mirror, ...ada, version: state.mirror.version + 1 } }
        }, 'relaxed')
        return answer
      },
      { once: true },
    ),
  )
  await callWorker()
  storage.close()
  const state = await onDisk()
  expect([state.mirror.owner, state.mirror.revision]).toEqual(['ada', 9])
  expect(pendingOf(state)).toHaveLength(1)
})
