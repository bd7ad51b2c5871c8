// Two tabs of one browser that write, or sign out, in the same moment.
import { expect } from 'vitest'
import { memoryStorage } from '../../src/mirror/storage/memory-storage.ts'
import { test } from './harness.ts'
import { until } from '../support/waiting.ts'

test('two tabs that update one key in the same moment both count, online and offline', async ({
  goOffline,
  openLive,
  onServer,
}) => {
  const [a, b] = [await openLive(), await openLive()]
  await a.set('list', []).acknowledged
  await b.pull()
  await Promise.all(
    [a.update('list', (l) => [...l, 'a']), b.update('list', (l) => [...l, 'b'])].map((w) => w.acknowledged),
  )
  expect((await onServer((s) => s.get('list'))).toSorted()).toEqual(['a', 'b'])

  await b.pull()
  goOffline()
  const offline = [a.update('list', (l) => [...l, 'c']), b.update('list', (l) => [...l, 'd'])]
  await Promise.all(offline.map((write) => write.stored))
  goOffline(false)
  await a.flush()
  await Promise.all(offline.map((write) => write.acknowledged))
  expect((await onServer((s) => s.get('list'))).toSorted()).toEqual(['a', 'b', 'c', 'd'])
})

test('two tabs that update one key several times each lose none of it when the server is further', async ({
  server,
  goOffline,
  openLive,
  onServer,
}) => {
  const [a, b] = [await openLive(), await openLive()]
  await a.set('list', []).acknowledged
  await b.pull()
  goOffline()
  const add = (word: string) => (list: readonly string[]) => [...list, word]
  const writes = ['a1', 'a2', 'a3'].map((word) => a.update('list', add(word)))
  writes.push(...['b1', 'b2'].map((word) => b.update('list', add(word))))
  await Promise.all(writes.map((write) => write.stored))
  await server.change((s) => s.update('list', add('server')))
  goOffline(false)
  await a.flush()
  const outcomes = await Promise.all(writes.map((write) => write.acknowledged))
  expect(outcomes.map(({ code }) => code)).toEqual(['superseded', 'superseded', 'ok', 'superseded', 'ok'])
  const list = await onServer((s) => s.get('list'))
  expect(list.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'server'])
})

test('a tab on disk and a tab in memory both learn of a sign-out, on either side', async ({
  server,
  goOffline,
  openLive,
  signedIn,
}) => {
  const disk = await signedIn()
  const memory = await openLive({ storage: memoryStorage() })
  expect(memory.owner).toBe('ada')
  await disk.signOut()
  await until('the tab in memory has heard of it', () => memory.owner === null)

  await server.change((s) => s.signIn('ada'))
  await Promise.all([disk.pull(), memory.pull()])
  goOffline()
  expect(await memory.signOut()).toMatchObject({ server: 'queued' })
  await until('the tab on disk has heard of it', () => disk.owner === null)
})
