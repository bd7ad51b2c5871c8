// Races that the simulation has found (test/simulation): each is a story of two tabs, told in the smallest words.
import { describe, expect, onTestFinished } from 'vitest'
import type { Base, Mutation } from '../../../src/protocol/mutation.ts'
import type { Epoch } from '../../../src/protocol/state.ts'
import {
  type LocalState,
  type OpenMutation,
  emptyLocalState,
  emptyMirrorDocument,
  pendingOf,
} from '../../../src/mirror/steps/local-state.ts'
import { sealBatch, withOpen } from '../../../src/mirror/steps/outbox.ts'
import { toOpen } from '../../../src/mirror/steps/stamp.ts'
import { databaseStorage } from '../../../src/mirror/storage/database-storage.ts'
import { memoryStorage } from '../../../src/mirror/storage/memory-storage.ts'
import type { Storage } from '../../../src/mirror/storage/storage.ts'
import { endAnswered } from '../../../src/mirror/sync/handover.ts'
import { type Channel, openChannel } from '../../../src/mirror/tabs/channel.ts'
import { merge, newer } from '../../../src/mirror/tabs/merge.ts'
import { sleep } from '../../support/waiting.ts'
import { answerOf, sessionOf, setTo, take, test } from '../fixtures.ts'

const epoch = 'epoch-one' as Epoch
const base = (revision: number): Base => ({ epoch, revision })
/** Stamps in the order in which they are asked for. */
const stamps = (function* count(): Generator<string, never> {
  for (let number = 1; ; number++) yield `${String(number).padStart(9, '0')}.tab`
})()
const open = (mutation: Mutation, rest: Partial<OpenMutation> = {}): OpenMutation => ({
  stamp: stamps.next().value,
  mutation,
  owner: null,
  saw: [],
  ...rest,
})
/** Another tab of the browser, of which only its messages are seen. */
function otherTab(name: string): Channel {
  const channel = openChannel(name, () => undefined)
  onTestFinished(() => channel.close())
  return channel
}
/** Who is anonymous, and was told so. */
function told(change: Partial<LocalState> = {}): LocalState {
  const state = emptyLocalState()
  return { ...state, mirror: { ...state.mirror, version: 1, epoch }, ...change }
}

describe('the writes that a new write was made on', () => {
  test('a write is made on what its page showed, not on a write that a later one hides without having seen it', () => {
    const hidden = open(setTo('list', 'theirs', base(0)))
    const shown = open(setTo('list', 'mine', base(0)))
    const written = toOpen(told({ open: [hidden, shown] }), setTo('list', 'mine, too', base(0)), 'z.tab')
    expect(written.saw).toEqual([shown.mutation.id])
  })

  test('a write on another base, which the page did not show, is not what a new one was made on', () => {
    const unshown = open(setTo('list', 'on something newer', base(7)))
    expect(toOpen(told({ open: [unshown] }), setTo('list', 'mine', base(0)), 'z.tab').saw).toEqual([])
  })

  test('an update replaces only its own tab’s update, because nobody can make another tab’s again', () => {
    const first = open(setTo('list', 'a', base(0)))
    const change = setTo('list', 'a, b', base(0))
    const later = (stamp: string): OpenMutation => open(change, { stamp, saw: [first.mutation.id] })
    expect(withOpen([first], later('999999999.tab'))).toHaveLength(1)
    expect(withOpen([first], later('999999999.other'))).toHaveLength(2)
  })
})

describe('notices of another tab', () => {
  test('a notice of a write on a new base is believed', () => {
    const before = open(setTo('list', 'a', base(1)))
    const after = { ...before, mutation: { ...before.mutation, base: base(2) } as Mutation }
    expect(merge(told({ open: [before] }), { added: [after] }).open).toEqual([after])
  })

  test('a notice of another owner takes the batch of the one before from the screen', () => {
    const state = sealBatch(told({ open: [open(setTo('note', 'of nobody'))] }))
    const { mirror } = state
    const theirs = { ...mirror, version: Date.now() + 9999, owner: 'ada' }
    expect(pendingOf(merge(state, { mirror: theirs }))).toEqual([])
  })

  test('a notice is not undone by a read of storage that began before it', () => {
    const before = sealBatch(told({ open: [open(setTo('note', 'of nobody'))] }))
    const { mirror } = before
    const theirs = { ...mirror, version: Date.now() + 9999, owner: 'ada' }
    expect(pendingOf(newer(before, merge(before, { mirror: theirs })))).toEqual([])
  })

  test('a late notice of a write that is gone does not bring it back', async ({ databaseName, openTab }) => {
    const mirror = await openTab()
    await take(mirror, answerOf({ epoch, revision: 1 }))
    const other = otherTab(databaseName)
    const gone = open(setTo('note', 'replaced'))
    other.post({ gone: [gone.stamp] })
    other.post({ added: [gone] })
    await sleep(50)
    expect(pendingOf(mirror.state)).toEqual([])
  })

  test('a write of another tab that never reaches the disk is taken from the screen again', async ({
    databaseName,
    openTab,
  }) => {
    const mirror = await openTab()
    await take(mirror, answerOf({ epoch, revision: 1 }))
    const other = otherTab(databaseName)
    other.post({ added: [open(setTo('note', 'of a tab that died'))] })
    await sleep(50)
    expect(pendingOf(mirror.state)).toHaveLength(1)
    await sleep(2500)
    expect(pendingOf(mirror.state)).toEqual([])
  })

  test('a page that has not been told who is here shows nobody’s writes', () => {
    const state = { ...emptyLocalState(), open: [open(setTo('note', 'of nobody'), { owner: null })] }
    expect(pendingOf(state)).toEqual([])
  })
})

describe('a change of owner', () => {
  test('the next owner finds no outcome of the one before on disk, and no value in it', async ({
    databaseName,
    openTab,
  }) => {
    const mirror = await openTab()
    await take(mirror, sessionOf('ada'))
    await mirror.write(setTo('strict', 'mine', base(0)))
    await mirror.transact(sealBatch)
    await take(mirror, {
      ...sessionOf('ada', { revision: 2 }),
      outcomes: [{ code: 'conflict', revision: 2, value: 'of ada' }],
    })
    expect(JSON.stringify((await databaseStorage(databaseName).load()).outbox.settled)).toContain('of ada')
    await take(mirror, sessionOf('grace'))
    expect(JSON.stringify(await databaseStorage(databaseName).load())).not.toContain('of ada')
  })

  test('a parked batch comes back in a strict transaction, so that it cannot come out of its parcel twice', async ({
    openTab,
  }) => {
    const inner = memoryStorage()
    const strict: boolean[] = []
    const storage: Storage = {
      ...inner,
      transact: (step, durability) =>
        inner.transact((state) => {
          const next = step(state)
          if (next.parcels.length < state.parcels.length) strict.push(durability === 'strict')
          return next
        }, durability),
    }
    const mirror = await openTab(storage)
    await take(mirror, sessionOf('ada'))
    await mirror.write(setTo('note', 'of ada'))
    await mirror.transact(sealBatch)
    await take(mirror, sessionOf('grace'))
    await take(mirror, sessionOf('ada', { revision: 5 }))
    expect(strict).toEqual([true])
  })
})

test('a browser without a mirror that has a dead cookie is told so once, and goes on', async ({
  openTab,
}) => {
  const mirror = await openTab()
  const sent = { document: emptyMirrorDocument(), sealed: null }
  await endAnswered(mirror, { state: 'signed-out', reason: 'expired' }, { sent, now: Date.now })
  expect(mirror.document.version).toBeGreaterThan(0)
  expect(mirror.document.ending).toBeNull()
})
