// The mirror without a worker, in whatever engine runs this: storage, tabs, offline writes, parking, memory mode.
import { describe, expect, test as base } from 'vitest'
import { type App, createApp } from './app.ts'
import { until } from '../support/waiting.ts'

const test = base
  .extend('app', ({}, { onCleanup }): App => {
    const app = createApp(`mirror-${crypto.randomUUID()}`)
    onCleanup(() => app.close())
    return app
  })
  .extend('signedIn', ({ app }): App['open'] => async (options) => {
    const session = await app.open(options)
    await session.fetch(`${app.base}/api/sign-in?as=ada`, { method: 'POST' })
    await until('the session is Ada’s', () => session.owner === 'ada')
    return session
  })

test('the mirror is read back from disk, without the server', async ({ app, signedIn }) => {
  const session = await signedIn()
  await session.set('note', 'kept').acknowledged
  await app.control({ isDead: true })
  const next = await app.open()
  expect([next.owner, next.get('user'), next.get('note'), next.durability]).toEqual([
    'ada',
    'ada',
    'kept',
    'disk',
  ])
})

test('writes without a network are kept, seen by the next page, and applied once', async ({
  app,
  signedIn,
}) => {
  const session = await signedIn()
  await app.control({ isDead: true })
  for (let write = 0; write < 10; write++) session.increment('visits')
  const { stored } = session.set('note', 'written offline')
  expect(await stored).toBe('disk')
  await session.flush()
  expect(session.status).toEqual({ state: 'stale', reason: 'offline' })
  session.close()

  const next = await app.open()
  expect([next.get('visits'), next.get('note')]).toEqual([10, 'written offline'])
  expect(next.pending).toBeGreaterThan(0)
  await app.control({})
  await next.flush()
  expect(next.pending).toBe(0)
  expect(await (await next.fetch(`${app.base}/api/me`)).json()).toMatchObject({
    visits: 10,
    note: 'written offline',
  })
})

test('a write is in the other page at once, and is sent by one of them', async ({ app, signedIn }) => {
  const session = await signedIn()
  const tab = await app.openTab()
  const before = (await app.seen('/session/sync')).length
  const write = session.set('note', 'from here')
  await until('the other tab shows the note', () => tab.get('note') === 'from here')
  expect(await write.acknowledged).toMatchObject({ code: 'ok' })
  expect((await app.seen('/session/sync')).length - before).toBe(1)
})

test('twenty requests at a stale cookie, of two pages without a worker, need one refresh', async ({
  app,
  signedIn,
}) => {
  const session = await signedIn()
  const tab = await app.openTab()
  await tab.pull()
  await app.outliveCookie(session, tab)
  const before = (await app.seen('/session/refresh')).length
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => (index % 2 ? tab : session).fetch(`${app.base}/api/me`)),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect((await app.seen('/session/refresh')).length - before).toBe(1)
})

test('changes that one owner left unsent are not the next one’s, and go out when that owner is back', async ({
  app,
  signedIn,
}) => {
  const session = await signedIn()
  // The session’s routes alone: it would try again by itself before anybody else could sign in.
  await app.control({ isDead: ['/session', '/session/sync', '/session/refresh'] })
  await session.set('note', 'ada’s own').stored
  await session.flush()
  // Somebody else signs in by a plain form, in another page.
  await fetch(`${app.base}/api/sign-in?as=grace`, { method: 'POST' })
  await app.control({})
  await session.pull()
  expect([session.owner, session.get('note'), session.pending]).toEqual(['grace', '', 0])
  const { parcels } = session.inspect().local
  expect(parcels.map(({ iv }) => iv !== null)).toEqual([true])
  expect(
    JSON.stringify(parcels, (_key, value: unknown) =>
      value instanceof ArrayBuffer ? new TextDecoder().decode(value) : value,
    ),
  ).not.toContain('own')

  await fetch(`${app.base}/api/sign-in?as=ada`, { method: 'POST' })
  await session.pull()
  await session.flush()
  expect([session.owner, session.get('note'), session.pending]).toEqual(['ada', 'ada’s own', 0])
})

describe('signing out', () => {
  test('signing out without a network wipes both pages, and is done when there is one', async ({
    app,
    signedIn,
  }) => {
    const session = await signedIn()
    const tab = await app.openTab()
    await app.control({ isDead: true })
    expect(await session.signOut()).toEqual({ server: 'queued', device: 'clean' })
    await until('the other tab shows nobody', () => tab.owner === null)
    await app.control({})
    await session.flush()
    expect(await (await session.fetch(`${app.base}/api/me`)).json()).toMatchObject({ owner: null })
  })
})

test('the session goes on in memory where IndexedDB fails, and says so', async ({ signedIn }) => {
  const { open } = IDBFactory.prototype
  IDBFactory.prototype.open = () => {
    throw new DOMException('not today', 'UnknownError')
  }
  try {
    const session = await signedIn()
    expect(session.durability).toBe('memory')
    expect(await session.set('note', 'in memory').acknowledged).toMatchObject({ code: 'ok' })
    expect(await session.diagnose()).toMatchObject([{ code: 'storage-memory' }])
  } finally {
    IDBFactory.prototype.open = open
  }
})

test('a change that no page knows of arrives by the event stream, by itself', async ({ app, signedIn }) => {
  const session = await signedIn({ live: true })
  await until('the page listens', async () => (await app.seen('/session/events')).length > 0)
  // A plain request past the session: only the server can tell it.
  await app.fetch('/api/visit', { method: 'POST' })
  await until('the page shows the visit', () => session.get('visits') === 1)
})
