// One browser's tabs: what they write, hear from each other, adopt, park and give up.
import { expect, onTestFinished } from 'vitest'
import { format } from '../../../src/protocol/names.ts'
import { type Epoch, emptyMirror } from '../../../src/protocol/state.ts'
import { type OpenMutation, emptyMirrorDocument, pendingOf } from '../../../src/mirror/steps/local-state.ts'
import { sealBatch } from '../../../src/mirror/steps/outbox.ts'
import { signOutHere } from '../../../src/mirror/steps/sign-out.ts'
import { databaseStorage } from '../../../src/mirror/storage/database-storage.ts'
import { memoryStorage } from '../../../src/mirror/storage/memory-storage.ts'
import type { Storage } from '../../../src/mirror/storage/storage.ts'
import { adoptAnswer, endAnswered } from '../../../src/mirror/sync/handover.ts'
import { toParcel } from '../../../src/mirror/sync/parking.ts'
import { TabMirror } from '../../../src/mirror/tabs/tab-mirror.ts'
import { answerOf, increment, sessionOf, setTo, take, test } from '../fixtures.ts'

/** Long enough for a broadcast to arrive. */
const heard = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))
const ada = sessionOf('ada', { revision: 3, keys: { note: [3, 'of ada'] } })
const grace = sessionOf('grace')

test('a write is visible at once, and is still there after a restart', async ({ openTab }) => {
  const first = await openTab()
  const stored = first.write(setTo('theme', 'dark'))
  expect(pendingOf(first.state)).toHaveLength(1)
  expect(await stored).toBe('disk')
  first.close()
  const second = await openTab()
  expect(pendingOf(second.state)).toMatchObject([{ key: 'theme', value: 'dark' }])
})

test('another tab hears of a write with its value, and of its sealing', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  await a.write(setTo('theme', 'dark'))
  await heard()
  expect(pendingOf(b.state)).toMatchObject([{ key: 'theme', value: 'dark' }])
  await b.transact(sealBatch, 'strict')
  await heard()
  expect(a.state.open).toHaveLength(0)
  expect(a.state.outbox.sealed?.text).toBe(b.state.outbox.sealed?.text)
})

test('two tabs that seal at the same time seal each mutation once', async ({ openTab }) => {
  const [a, b] = [await openTab(), await openTab()]
  await Promise.all([a.write(increment('n')), b.write(increment('n')), a.write(increment('n'))])
  await Promise.all([a.transact(sealBatch, 'strict'), b.transact(sealBatch, 'strict')])
  const state = await (await openTab()).reload()
  expect(state.outbox.sealed?.mutations).toHaveLength(3)
  expect(state.open).toHaveLength(0)
})

test('of two tabs that write one key in the same millisecond one write stands: by the tabs’ names, in each tab and in the batch', async ({
  databaseName,
}) => {
  const open = (): TabMirror => {
    const storage = databaseStorage(databaseName)
    const mirror = new TabMirror({ storage, channel: databaseName, now: () => 1_800_000_000_000 })
    onTestFinished(() => mirror.close())
    return mirror
  }
  const [a, b] = [open(), open()]
  await Promise.all([a.reload(), b.reload()])
  await Promise.all([a.write(setTo('note', 'of a')), b.write(setTo('note', 'of b'))])
  await heard()
  const [first] = pendingOf(a.state)
  expect(pendingOf(a.state)).toHaveLength(1)
  expect(pendingOf(b.state)).toEqual([first])
  const { outbox, open: left } = await b.transact(sealBatch, 'strict')
  expect([outbox.sealed?.mutations, left]).toEqual([[first], []])
})

test('a tab that hears that its session was left in a tab without a disk has nothing of it to send, sealed or not', async ({
  databaseName,
  openTab,
}) => {
  const tab = await openTab()
  await take(tab, ada)
  await tab.write(setTo('note', 'sealed'))
  await tab.transact(sealBatch, 'strict')
  await tab.write(setTo('note', 'open'))
  const channel = new BroadcastChannel(databaseName)
  channel.postMessage({ format, left: tab.epoch })
  await expect.poll(() => tab.owner).toBe(null)
  channel.close()
  expect([tab.state.outbox.sealed, tab.state.open]).toEqual([null, []])
})

test('writes made while storage is read again stay visible', async ({ openTab }) => {
  const mirror = await openTab()
  const reloading = mirror.reload()
  void mirror.write(setTo('a', '1'))
  await reloading
  expect(pendingOf(mirror.state)).toHaveLength(1)
})

test('a read of storage that began before another tab’s write does not hide that write again', async ({
  databaseName,
  openTab,
}) => {
  const storage = databaseStorage(databaseName)
  let release = (): void => undefined
  const slow: Storage = {
    ...storage,
    async load() {
      const loaded = await storage.load()
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return loaded
    },
  }
  const reading = new TabMirror({ storage: slow, channel: databaseName, now: Date.now })
  onTestFinished(() => reading.close())
  const writing = await openTab()
  const reloading = reading.reload()
  await heard()
  await writing.write(increment('n'))
  await heard()
  expect(pendingOf(reading.state)).toHaveLength(1)
  release()
  await reloading
  expect(pendingOf(reading.state)).toHaveLength(1)
})

test('a tab whose storage fails goes on in memory, says so, and keeps the write', async ({ openTab }) => {
  const broken: Storage = {
    ...memoryStorage(),
    durability: 'disk',
    write: () => Promise.reject(new DOMException('full', 'QuotaExceededError')),
  }
  const mirror = await openTab(broken)
  const told: string[] = []
  mirror.onDurability(({ durability }) => told.push(durability))
  expect(await mirror.write(setTo('a', '1'))).toBe('memory')
  expect(told).toEqual(['memory'])
  expect(mirror.durability).toBe('memory')
  expect(pendingOf(mirror.state)).toMatchObject([{ key: 'a' }])
})

test('another user’s sign-in leaves nothing readable of the first, here or on disk, and parks the unsent write', async ({
  databaseName,
  openTab,
}) => {
  const mirror = await openTab()
  await take(mirror, ada)
  await mirror.write(setTo('note', 'secret of ada'))
  await take(mirror, grace)
  expect(mirror.owner).toBe('grace')
  expect(pendingOf(mirror.state)).toEqual([])
  const onDisk = JSON.stringify(await databaseStorage(databaseName).load(), (_key, value: unknown) =>
    value instanceof ArrayBuffer ? String.fromCharCode(...new Uint8Array(value)) : value,
  )
  expect(onDisk).not.toContain('of ada')
  expect(onDisk).not.toContain('ada')
  expect(mirror.state.parcels).toHaveLength(1)
})

test('a parked write comes back to its owner, and only to that one', async ({ openTab }) => {
  const mirror = await openTab()
  await take(mirror, ada)
  await mirror.write(setTo('note', 'secret of ada'))
  await take(mirror, grace)
  await take(mirror, { ...ada, epoch: 'epoch-ada-2' as Epoch })
  expect(pendingOf(mirror.state)).toMatchObject([{ key: 'note', value: 'secret of ada' }])
  expect(mirror.state.parcels).toEqual([])
})

test('a parcel names what it holds: of two tabs’ writes of one key in the same moment only the later', async ({
  openTab,
}) => {
  const mirror = await openTab()
  await take(mirror, ada)
  const entry = (of: string): OpenMutation => ({
    stamp: `000000001.${of}`,
    mutation: setTo('note', of),
    owner: 'ada',
    saw: [],
  })
  const [earlier, later] = [entry('tab-a'), entry('tab-b')]
  const parcel = await toParcel({ ...mirror.state, open: [earlier, later] }, Date.now())
  expect(parcel?.ids).toEqual([later.mutation.id])
})

test('a write that was parked on its way to the disk, and was sent from there after all, is not sent again when its owner is back', async ({
  openTab,
}) => {
  const mirror = await openTab()
  const anonymous = answerOf({ epoch: 'epoch-nobody' as Epoch })
  await take(mirror, anonymous)
  const [sent, waits] = [setTo('note', 'sent'), setTo('theme', 'waits')]
  const entry = (mutation: typeof sent, stamp: string): OpenMutation => ({
    stamp,
    mutation,
    owner: null,
    saw: [],
  })
  const open = [entry(sent, '000000001.tab'), entry(waits, '000000002.tab')]
  const parcel = await toParcel({ ...mirror.state, open }, Date.now())
  await mirror.transact((state) => ({
    ...state,
    parcels: parcel === undefined ? [] : [parcel],
    outbox: { ...state.outbox, settled: { [sent.id]: { code: 'ok', revision: 1 } } },
  }))
  await take(mirror, { ...anonymous, revision: 2 })
  expect([pendingOf(mirror.state), mirror.state.parcels]).toEqual([[waits], []])
})

test('a parcel that cannot be read any more when its owner is back is given up, and the app is told', async ({
  openTab,
}) => {
  const mirror = await openTab()
  await take(mirror, ada)
  await mirror.write(setTo('note', 'of ada'))
  await take(mirror, grace)
  const discarded: unknown[] = []
  const { document } = mirror
  // The server's secret was changed: the same owner, another key.
  const otherKey = {
    ...ada,
    epoch: 'epoch-ada-2' as Epoch,
    parking: `parking-${btoa('ada')}.${'z'.repeat(43)}`,
  }
  await adoptAnswer(mirror, otherKey, {
    sent: { document, sealed: null },
    now: Date.now,
    onDiscarded: (what) => discarded.push(what),
  })
  expect(pendingOf(mirror.state)).toEqual([])
  expect(mirror.state.parcels).toEqual([])
  expect(discarded).toEqual([{ reason: 'unreadable', changes: [] }])
})

test('a sealed batch comes back from parking byte for byte', async ({ openTab }) => {
  const mirror = await openTab()
  await take(mirror, ada)
  await mirror.write(increment('n'))
  const text = (await mirror.transact(sealBatch, 'strict')).outbox.sealed?.text
  const { document } = mirror
  await adoptAnswer(mirror, grace, { sent: { document, sealed: null }, now: Date.now })
  expect(mirror.state.outbox.sealed).toBeNull()
  await take(mirror, { ...ada, epoch: 'epoch-ada-2' as Epoch })
  expect(mirror.state.outbox.sealed?.text).toBe(text)
})

test('an answer to a question about a session that is gone here is outdated', async ({ openTab }) => {
  const mirror = await openTab()
  await take(mirror, ada)
  const { document } = mirror
  await mirror.transact((state) => signOutHere(state))
  const result = await adoptAnswer(
    mirror,
    { ...ada, revision: 9 },
    { sent: { document, sealed: null }, now: Date.now },
  )
  expect(result).toBe('outdated')
  expect(mirror.epoch).toBeNull()
})

test('a first pull that was under way does not undo a sign-out', async ({ openTab }) => {
  const mirror = await openTab()
  const document = emptyMirrorDocument()
  await take(mirror, ada)
  await mirror.transact((state) => signOutHere(state))
  await adoptAnswer(mirror, ada, { sent: { document, sealed: null }, now: Date.now })
  expect(mirror.epoch).toBeNull()
})

test('a loss keeps the anonymous outbox for the next session, and asks to be acknowledged', async ({
  openTab,
}) => {
  const mirror = await openTab()
  await take(mirror, answerOf({ epoch: 'epoch-anon' as Epoch, revision: 2, keys: { theme: [2, 'dark'] } }))
  await mirror.write(increment('visits'))
  const sent = { document: mirror.document, sealed: null }
  await endAnswered(mirror, { state: 'lost', keys: ['theme'] }, { sent, now: Date.now })
  expect(mirror.document.ending).toEqual({ state: 'lost', keys: ['theme'] })
  expect(mirror.document).toMatchObject(emptyMirror)
  expect(pendingOf(mirror.state)).toHaveLength(1)
  expect(mirror.document.leaving).not.toBeNull()
})
