// Signing out before the browser knows whose session it is, offline, and with changes that are unsent.
import { HttpResponse, http } from 'msw'
import { expect } from 'vitest'
import { memoryStorage } from '../../src/mirror/storage/memory-storage.ts'
import { test } from './harness.ts'

test('signing out ends a session that this browser has not been told of yet', async ({
  server,
  open,
  onServer,
}) => {
  await server.change((s) => s.signIn('ada'))
  const session = await open()
  expect(await session.signOut()).toMatchObject({ server: 'confirmed' })
  await session.pull()
  expect(session.owner).toBeNull()
  expect(await onServer((s) => s.owner)).toBeNull()
})

test('a sign-out before the first answer, without a network, is queued and not forgotten', async ({
  server,
  goOffline,
  open,
  onServer,
}) => {
  await server.change((s) => s.signIn('ada'))
  goOffline()
  const session = await open()
  expect(await session.signOut()).toMatchObject({ server: 'queued' })
  goOffline(false)
  await session.pull()
  expect(await onServer((s) => s.owner)).toBeNull()
})

test('a sign-out right after the page began still sees the unsent writes on disk', async ({
  goOffline,
  create,
  signedIn,
}) => {
  const first = await signedIn()
  goOffline()
  await first.set('note', 'unsent').stored
  first.close()
  const second = create()
  await expect(second.signOut({ pending: 'refuse' })).rejects.toMatchObject({ code: 'pending-writes' })
  expect(second.pending).toBe(1)
})

test('no request of the app reads the session that was left while its sign-out is queued', async ({
  network,
  server,
  goOffline,
  signedIn,
}) => {
  const session = await signedIn()
  network.use(
    server.route('get', 'http://localhost/api/me', (_request, s) => Response.json({ owner: s.owner })),
  )
  goOffline()
  await session.signOut()
  // The sign-out itself cannot get through; the request could.
  network.use(http.delete('*/session', () => HttpResponse.error()))
  goOffline(false)
  const answer = await session.fetch('http://localhost/api/me')
  expect(answer.status).toBe(409)
  network.resetHandlers(
    ...server.handlers,
    server.route('get', 'http://localhost/api/me', (_r, s) => Response.json({ owner: s.owner })),
  )
  expect(await (await session.fetch('http://localhost/api/me')).json()).toEqual({ owner: null })
})

test('a storage of the app that keeps nothing leaves a clean device', async ({ signedIn }) => {
  const session = await signedIn({ storage: memoryStorage() })
  expect(session.durability).toBe('memory')
  expect(await session.signOut()).toEqual({ server: 'confirmed', device: 'clean' })
})
