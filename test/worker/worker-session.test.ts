// What the worker knows: from storage, and from what the tabs tell meanwhile.
import 'fake-indexeddb/auto'
import { expect, test, vi } from 'vitest'
import { databaseStorage } from '../../src/mirror/storage/database-storage.ts'
import { toStoredMirror } from '../../src/mirror/storage/stored-form.ts'
import { type MirrorDocument, emptyMirrorDocument } from '../../src/mirror/steps/local-state.ts'
import { format, sharedNamesOf } from '../../src/protocol/names.ts'
import { WorkerSession } from '../../src/worker/worker-session.ts'

const names = sharedNamesOf('/known')

test('a read of storage never puts back what a tab told meanwhile, and a cleared database does', async () => {
  const storage = databaseStorage(names.database)
  const old: MirrorDocument = { ...emptyMirrorDocument(), version: 5 }
  await storage.transact((state) => ({ ...state, mirror: old }), 'relaxed')
  const session = new WorkerSession(names)
  await session.reload()
  expect([session.document.version, session.isRecent]).toEqual([5, true])

  const tab = new BroadcastChannel(names.channel)
  tab.postMessage({ format, mirror: toStoredMirror({ ...old, version: 6 }) })
  await expect.poll(() => session.document.version).toBe(6)
  await session.reload()
  expect(session.document.version).toBe(6)

  await storage.transact((state) => ({ ...state, mirror: { ...old, version: 0 } }), 'relaxed')
  await session.reload()
  expect(session.document.version).toBe(0)
  tab.close()
  storage.close()
})

test('a read counts as recent for a moment only, and never where storage fails', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const session = new WorkerSession(sharedNamesOf('/known-recent'))
    expect(session.isRecent).toBe(false)
    await session.reload()
    expect(session.isRecent).toBe(true)
    vi.advanceTimersByTime(260)
    expect(session.isRecent).toBe(false)
    await session.reload()
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => {
      throw new DOMException('no', 'UnknownError')
    })
    const failing = new WorkerSession(sharedNamesOf('/known-failing'))
    await failing.reload()
    expect([failing.isRecent, failing.document.version]).toEqual([false, 0])
  } finally {
    vi.useRealTimers()
    vi.restoreAllMocks()
  }
})

test('where storage fails, a tab’s next word is waited for, and not asked for without end', async () => {
  vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => {
    throw new DOMException('no', 'UnknownError')
  })
  const own = sharedNamesOf('/known-told')
  const session = new WorkerSession(own)
  await session.reload()
  const tab = new BroadcastChannel(own.channel)
  const told: MirrorDocument = { ...emptyMirrorDocument(), version: 7 }
  tab.postMessage({ format, mirror: toStoredMirror(told) })
  await expect.poll(() => session.document.version).toBe(7)
  const started = performance.now()
  await session.untilTold({ epoch: null, revision: 0 }, 100)
  expect(performance.now() - started).toBeGreaterThan(90)
  tab.close()
  vi.restoreAllMocks()
})
