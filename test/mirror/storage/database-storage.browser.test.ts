// The storage on the browser's own IndexedDB, with the ways in which it fails people.
import { expect, test } from 'vitest'
import type { Mutation } from '../../../src/protocol/mutation.ts'
import { databaseStorage } from '../../../src/mirror/storage/database-storage.ts'
import { type OpenMutation, pendingOf } from '../../../src/mirror/steps/local-state.ts'
import { TabMirror } from '../../../src/mirror/tabs/tab-mirror.ts'
import { sealBatch } from '../../../src/mirror/steps/outbox.ts'

const freshName = (): string => `database-test-${crypto.randomUUID()}`
const increment = (): Mutation => ({ id: crypto.randomUUID(), kind: 'increment', key: 'n', by: 1 })
/** Stamps in the order in which they are asked for. */
const stamps = (function* count(): Generator<string, never> {
  for (let number = 1; ; number++) yield String(number).padStart(9, '0')
})()
const entry = (): OpenMutation => ({
  stamp: stamps.next().value,
  mutation: increment(),
  owner: undefined,
  saw: [],
})

function deleteDatabase(name: string): Promise<string> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name)
    request.addEventListener('success', () => resolve('deleted'))
    request.addEventListener('blocked', () => resolve('blocked'))
  })
}

test('a write is there after the storage was opened anew', async () => {
  const name = freshName()
  const first = databaseStorage(name)
  await first.write(entry(), [])
  first.close()
  expect(pendingOf(await databaseStorage(name).load())).toHaveLength(1)
})

test('two connections that seal at the same time seal each write once', async () => {
  const name = freshName()
  const [a, b] = [databaseStorage(name), databaseStorage(name)]
  await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? a : b).write(entry(), [])))
  await Promise.all([a.transact(sealBatch, 'strict'), b.transact(sealBatch, 'strict')])
  const state = await a.load()
  expect(state.outbox.sealed?.mutations).toHaveLength(20)
  expect(state.open).toEqual([])
})

test('a step that throws changes nothing, and the storage goes on working', async () => {
  const storage = databaseStorage(freshName())
  await storage.write(entry(), [])
  const failing = storage.transact(() => {
    throw new Error('a mistake in a step')
  }, 'relaxed')
  await expect(failing).rejects.toThrow('a mistake in a step')
  expect(pendingOf(await storage.load())).toHaveLength(1)
})

test('deleting the database under an open handle is not blocked, and the next use opens a new one', async () => {
  const name = freshName()
  const storage = databaseStorage(name)
  await storage.write(entry(), [])
  expect(await deleteDatabase(name)).toBe('deleted')
  await storage.write(entry(), [])
  expect(pendingOf(await storage.load())).toHaveLength(1)
})

test('documents of a newer format are left alone: this tab works in memory instead', async () => {
  const name = freshName()
  const storage = databaseStorage(name)
  await storage.transact((state) => ({ ...state, outbox: { ...state.outbox, format: 99 } }), 'relaxed')
  const mirror = new TabMirror({ storage: databaseStorage(name), channel: name, now: Date.now })
  await mirror.reload()
  expect(mirror.durability).toBe('memory')
  expect(await mirror.write(increment())).toBe('memory')
  mirror.close()
  const kept = await new Promise<{ format: number }>((resolve) => {
    const opening = indexedDB.open(name)
    opening.addEventListener('success', () => {
      const reading = opening.result.transaction('outbox').objectStore('outbox').get('outbox')
      reading.addEventListener('success', () => resolve(reading.result as { format: number }))
    })
  })
  expect(kept.format).toBe(99)
})

test('a write of this tab is in the other tab’s state within a few milliseconds, with its value', async () => {
  const name = freshName()
  const [a, b] = await Promise.all(
    [1, 2].map(async () => {
      const mirror = new TabMirror({ storage: databaseStorage(name), channel: name, now: Date.now })
      await mirror.reload()
      return mirror
    }),
  )
  if (a === undefined || b === undefined) throw new Error('no tabs')
  const heard = new Promise<void>((resolve) => {
    b.onChange((state) => {
      if (pendingOf(state).length > 0) resolve()
    })
  })
  await a.write(increment())
  await heard
  expect(pendingOf(b.state)).toEqual(pendingOf(a.state))
  a.close()
  b.close()
})
