// Many writes in one task cost what one costs: one transaction, one message, one read, and bookkeeping that grows in step.
import { expect, vi } from 'vitest'
import { databaseStorage } from '../../../src/mirror/storage/database-storage.ts'
import { increment, setTo, test } from '../fixtures.ts'

test('all writes of one task are kept in one transaction and told to the other tabs in one message', async ({
  databaseName,
  openTab,
}) => {
  const tab = await openTab()
  const other = await openTab()
  const heard = vi.fn()
  other.onChange(heard)
  const transactions = vi.spyOn(IDBDatabase.prototype, 'transaction')
  const kept = Array.from({ length: 200 }, (_, index) => tab.write(setTo('theme', String(index))))
  await Promise.all(kept)
  expect(transactions).toHaveBeenCalledTimes(1)
  transactions.mockRestore()
  await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1))
  expect(other.pending.map((mutation) => 'value' in mutation && mutation.value)).toEqual(['199'])
  const stored = await databaseStorage(databaseName).load()
  expect(stored.open.map(({ mutation }) => 'value' in mutation && mutation.value)).toEqual(['199'])
})

test('writes of a task that cannot be kept go on in memory, all of them', async ({
  openTab,
  databaseName,
}) => {
  const storage = databaseStorage(databaseName)
  const tab = await openTab({ ...storage, write: async () => Promise.reject(new Error('sick')) })
  const kept = await Promise.all([
    tab.write(increment('n')),
    tab.write(increment('n')),
    tab.write(setTo('a', '1')),
  ])
  expect(kept).toEqual(['memory', 'memory', 'memory'])
  expect(tab.pending).toHaveLength(3)
})

test('what a thousand increments leave in storage grows in step with their number', async ({ openTab }) => {
  const tab = await openTab()
  await Promise.all(Array.from({ length: 1000 }, () => tab.write(increment('n'))))
  const sizes = tab.state.open.map((entry) => JSON.stringify(entry).length)
  expect(sizes).toHaveLength(1000)
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(20)
})
