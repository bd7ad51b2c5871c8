// Writes in odd places: inside a subscriber, before the first answer, a thousand at once.
import { expect } from 'vitest'
import { quiet, test } from './harness.ts'

test('a write inside a subscriber is followed like any other', async ({ openLive }) => {
  const session = await openLive()
  const inner: Promise<unknown>[] = []
  session.subscribe('theme', () => inner.push(session.set('note', 'from a subscriber').acknowledged))
  session.set('theme', 'dark')
  expect(await inner[0]).toMatchObject({ code: 'ok' })
})

test('quick writes under merge lose nothing of the server’s', async ({ server, openLive, onServer }) => {
  const session = await openLive()
  await session.set('tags', ['base']).acknowledged
  await server.change((s) => s.set('tags', ['base', 'theirs']))
  const first = session.set('tags', ['base', 'm1'])
  await quiet(25)
  const second = session.set('tags', ['base', 'm1', 'm2'])
  await Promise.all([first.acknowledged, second.acknowledged])
  expect((await onServer((s) => s.get('tags'))).toSorted()).toEqual(['base', 'm1', 'm2', 'theirs'])
})

test('null is kept, also where there is a default', async ({ openLive, onServer }) => {
  const session = await openLive()
  await session.set('nullable', null).acknowledged
  expect([session.get('nullable'), await onServer((s) => s.get('nullable'))]).toEqual([null, null])
})

test('a write before the first answer belongs to whoever the cookie names', async ({
  server,
  open,
  onServer,
}) => {
  await server.change((s) => s.signIn('ada'))
  const session = await open()
  const write = session.set('note', 'mine')
  expect(await write.acknowledged).toMatchObject({ code: 'ok' })
  expect(await onServer((s) => [s.owner, s.get('note')])).toEqual(['ada', 'mine'])
})

test('an update that throws when it runs again is invalid, not a rejection', async ({ server, openLive }) => {
  const session = await openLive()
  await session.set('list', ['a']).acknowledged
  await server.change((s) => s.set('list', ['a', 'server']))
  let runs = 0
  const write = session.update('list', (list) => {
    if (runs++ > 0) throw new Error('not twice')
    return [...list, 'mine']
  })
  expect(await write.acknowledged).toEqual({ code: 'invalid', message: 'not twice' })
})

test('a thousand increments offline stay cheap: settling a batch rewrites nothing else', async ({
  goOffline,
  openLive,
  onServer,
}) => {
  const session = await openLive()
  await session.set('note', 'begin').acknowledged
  goOffline()
  for (let count = 0; count < 1000; count++) session.increment('visits')
  expect(session.get('visits')).toBe(1000)
  goOffline(false)
  expect(await session.flush()).toEqual({ pending: 0 })
  expect(await onServer((s) => s.get('visits'))).toBe(1000)
})
