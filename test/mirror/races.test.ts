// Races that the simulation has found (test/simulation): each is a story of two tabs, told in the smallest words.
import 'fake-indexeddb/auto'
import { afterEach, describe, expect, test } from 'vitest'
import type { MirrorMessage } from '../../src/protocol/messages.ts'
import type { Base, Mutation } from '../../src/protocol/mutation.ts'
import { type Epoch, emptyMirror } from '../../src/protocol/state.ts'
import { openChannel } from '../../src/mirror/tabs/channel.ts'
import { databaseStorage } from '../../src/mirror/storage/database-storage.ts'
import { memoryStorage } from '../../src/mirror/storage/memory-storage.ts'
import { adoptAnswer, endAnswered } from '../../src/mirror/sync/handover.ts'
import {
  type LocalState,
  type OpenMutation,
  emptyLocalState,
  emptyMirrorDocument,
  pendingOf,
} from '../../src/mirror/steps/local-state.ts'
import { merge, newer } from '../../src/mirror/tabs/merge.ts'
import { TabMirror } from '../../src/mirror/tabs/tab-mirror.ts'
import { sealBatch, withOpen } from '../../src/mirror/steps/outbox.ts'
import { toOpen } from '../../src/mirror/steps/stamp.ts'
import type { Storage } from '../../src/mirror/storage/storage.ts'
import { sleep } from '../support/waiting.ts'

let opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened) one.close()
  opened = []
})

let names = 0
async function tab(name: string, storage: Storage = databaseStorage(name)): Promise<TabMirror> {
  const mirror = new TabMirror({ storage, channel: name, now: Date.now })
  opened.push(mirror)
  await mirror.reload()
  return mirror
}

const epoch = 'epoch-one' as Epoch
const base = (revision: number): Base => ({ epoch, revision })
let ids = 0
const set = (key: string, value: string, from?: Base): Mutation => ({
  id: `mutation-${++ids}`,
  kind: 'set',
  key,
  value,
  ...(from === undefined ? {} : { base: from }),
})
const open = (mutation: Mutation, rest: Partial<OpenMutation> = {}): OpenMutation => ({
  stamp: `${String(++ids).padStart(9, '0')}.tab`,
  mutation,
  owner: null,
  saw: [],
  ...rest,
})
const answer = (change: Partial<MirrorMessage>): MirrorMessage => ({
  ...emptyMirror,
  since: null,
  removed: {},
  freshIn: 900,
  expiresIn: 9000,
  parking: null,
  ...change,
})
const of = (owner: string, revision = 1): MirrorMessage =>
  answer({
    epoch: `epoch-${owner}` as Epoch,
    owner,
    revision,
    parking: `parkingof${owner}.${'k'.repeat(43)}`,
  })
const take = (mirror: TabMirror, message: MirrorMessage): Promise<unknown> => {
  const sent = { document: mirror.document, sealed: mirror.state.outbox.sealed }
  return adoptAnswer(mirror, message, { sent, now: Date.now })
}
/** Who is anonymous, and was told so. */
function told(change: Partial<LocalState> = {}): LocalState {
  const state = emptyLocalState()
  return { ...state, mirror: { ...state.mirror, version: 1, epoch }, ...change }
}

describe('what a write is made on', () => {
  test('is what its page showed: not a write that a later one hides, which had not seen it', () => {
    const hidden = open(set('list', 'theirs', base(0)))
    const shown = open(set('list', 'mine', base(0)))
    const written = toOpen(told({ open: [hidden, shown] }), set('list', 'mine, too', base(0)), 'z.tab')
    expect(written.saw).toEqual([shown.mutation.id])
  })

  test('is not a write on another base, which its page did not show', () => {
    const unshown = open(set('list', 'on something newer', base(7)))
    expect(toOpen(told({ open: [unshown] }), set('list', 'mine', base(0)), 'z.tab').saw).toEqual([])
  })

  test('is replaced only if it is of the same tab: nobody can do another tab’s update again', () => {
    const first = open(set('list', 'a', base(0)))
    const change = set('list', 'a, b', base(0))
    const later = (stamp: string): OpenMutation => open(change, { stamp, saw: [first.mutation.id] })
    expect(withOpen([first], later('999999999.tab'))).toHaveLength(1)
    expect(withOpen([first], later('999999999.other'))).toHaveLength(2)
  })
})

describe('what another tab tells', () => {
  test('of a write on a new base is believed', () => {
    const before = open(set('list', 'a', base(1)))
    const after = { ...before, mutation: { ...before.mutation, base: base(2) } as Mutation }
    expect(merge(told({ open: [before] }), { added: [after] }).open).toEqual([after])
  })

  test('of another owner takes the batch of the one before from the screen', () => {
    const state = sealBatch(told({ open: [open(set('note', 'of nobody'))] }))
    const { mirror } = state
    const theirs = { ...mirror, version: Date.now() + 9999, owner: 'ada' }
    expect(pendingOf(merge(state, { mirror: theirs }))).toEqual([])
  })

  test('is not undone by a read of storage that began before', () => {
    const before = sealBatch(told({ open: [open(set('note', 'of nobody'))] }))
    const { mirror } = before
    const theirs = { ...mirror, version: Date.now() + 9999, owner: 'ada' }
    expect(pendingOf(newer(before, merge(before, { mirror: theirs })))).toEqual([])
  })

  test('too late, of a write that is gone, does not bring it back', async () => {
    const name = `late-${++names}`
    const mirror = await tab(name)
    await take(mirror, answer({ epoch, revision: 1 }))
    const other = openChannel(name, () => undefined)
    opened.push(other)
    const gone = open(set('note', 'replaced'))
    other.post({ gone: [gone.stamp] })
    other.post({ added: [gone] })
    await sleep(50)
    expect(pendingOf(mirror.state)).toEqual([])
  })

  test('of a write that never reaches the disk is not shown for ever', async () => {
    const name = `never-${++names}`
    const mirror = await tab(name)
    await take(mirror, answer({ epoch, revision: 1 }))
    const other = openChannel(name, () => undefined)
    opened.push(other)
    other.post({ added: [open(set('note', 'of a tab that died'))] })
    await sleep(50)
    expect(pendingOf(mirror.state)).toHaveLength(1)
    await sleep(2500)
    expect(pendingOf(mirror.state)).toEqual([])
  })

  test('is not shown by a page that has not been told who is here', () => {
    const state = { ...emptyLocalState(), open: [open(set('note', 'of nobody'), { owner: null })] }
    expect(pendingOf(state)).toEqual([])
  })
})

describe('another owner', () => {
  test('finds no outcome of the one before on disk, and no value in it', async () => {
    const name = `outcomes-${++names}`
    const mirror = await tab(name)
    await take(mirror, of('ada'))
    await mirror.write(set('strict', 'mine', base(0)))
    await mirror.transact(sealBatch)
    await take(mirror, { ...of('ada', 2), outcomes: [{ code: 'conflict', revision: 2, value: 'of ada' }] })
    expect(JSON.stringify((await databaseStorage(name).load()).outbox.settled)).toContain('of ada')
    await take(mirror, of('grace'))
    expect(JSON.stringify(await databaseStorage(name).load())).not.toContain('of ada')
  })

  test('who leaves gives a parked batch back in a strict transaction: it must not come out of its parcel twice', async () => {
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
    const mirror = await tab(`strict-${++names}`, storage)
    await take(mirror, of('ada'))
    await mirror.write(set('note', 'of ada'))
    await mirror.transact(sealBatch)
    await take(mirror, of('grace'))
    await take(mirror, of('ada', 5))
    expect(strict).toEqual([true])
  })
})

test('a browser without a mirror that has a dead cookie is told so once, and goes on', async () => {
  const mirror = await tab(`dead-${++names}`)
  const sent = { document: emptyMirrorDocument(), sealed: null }
  await endAnswered(mirror, { state: 'signed-out', reason: 'expired' }, { sent, now: Date.now })
  expect(mirror.document.version).toBeGreaterThan(0)
  expect(mirror.document.ending).toBeNull()
})
