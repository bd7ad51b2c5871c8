// The outbox as pure steps: what is sealed, in which order, and what settling makes of the rest.
import { describe, expect, test } from 'vitest'
import * as limits from '../../../src/protocol/limits.ts'
import { parseBatch } from '../../../src/protocol/messages.ts'
import type { Mutation, Outcome } from '../../../src/protocol/mutation.ts'
import type { Epoch } from '../../../src/protocol/state.ts'
import {
  type LocalState,
  type OpenMutation,
  emptyLocalState,
  pendingOf,
} from '../../../src/mirror/steps/local-state.ts'
import { randomToken } from '../../../src/mirror/steps/random-token.ts'
import { fork, sealBatch, settle, withOpen } from '../../../src/mirror/steps/outbox.ts'

const open = (mutation: Mutation, saw: readonly string[] = []): OpenMutation => ({
  stamp: stamps.next().value,
  mutation,
  owner: null,
  saw,
})
/** Stamps in the order in which they are asked for. */
const stamps = (function* count(): Generator<string, never> {
  for (let number = 1; ; number++) yield String(number).padStart(9, '0')
})()
const set = (key: string, value: string, base?: number): Mutation => ({
  id: randomToken(),
  kind: 'set',
  key,
  value,
  ...(base === undefined ? {} : { base: { epoch: 'epoch-one' as Epoch, revision: base } }),
})
const increment = (key: string): Mutation => ({ id: randomToken(), kind: 'increment', key, by: 1 })

/** The state of a browser that knows that nobody is here. */
function told(): LocalState {
  const state = emptyLocalState()
  return { ...state, mirror: { ...state.mirror, version: 1 } }
}

function withWrites(...mutations: Mutation[]): LocalState {
  return mutations.reduce(
    (state, mutation) => ({ ...state, open: withOpen(state.open, open(mutation)) }),
    told(),
  )
}

test('a later set of the same key takes the place of an earlier one; increments are all kept', () => {
  const state = withWrites(set('a', '1'), increment('n'), set('b', '1'), set('a', '2'), increment('n'))
  expect(pendingOf(state).map((m) => [m.kind, m.key])).toEqual([
    ['increment', 'n'],
    ['set', 'b'],
    ['set', 'a'],
    ['increment', 'n'],
  ])
})

test('a sealed batch is text that the server reads back as the same mutations', () => {
  const sealed = sealBatch(withWrites(set('a', '1'), increment('n'))).outbox.sealed
  const batch = parseBatch(sealed?.text ?? '')
  expect(batch.number).toBe(1)
  expect(batch.mutations).toEqual(sealed?.mutations)
})

test('nothing else is sealed while a batch is on its way, and its text never changes', () => {
  const first = sealBatch(withWrites(set('a', '1')))
  const later = { ...first, open: withOpen(first.open, open(set('a', '2'))) }
  expect(sealBatch(later)).toBe(later)
  expect(pendingOf(later).map((m) => m.kind === 'set' && m.value)).toEqual(['1', '2'])
})

test('settling keeps the outcome of each mutation, and the next batch gets the next number', () => {
  const sealed = sealBatch(withWrites(set('a', '1')))
  const batch = sealed.outbox.sealed
  if (batch === null) throw new Error('nothing sealed')
  const settled = settle(sealed, batch, { outcomes: [{ code: 'ok', revision: 7 }], keys: {} })
  expect(settled.outbox.sealed).toBeNull()
  expect(settled.outbox.settled[batch.mutations[0]?.id ?? '']).toEqual({ code: 'ok', revision: 7 })
  const next = sealBatch({ ...settled, open: withOpen([], open(set('b', '1'))) })
  expect(next.outbox.sealed?.number).toBe(2)
})

test('a batch that another tab has settled is not settled again', () => {
  const sealed = sealBatch(withWrites(set('a', '1')))
  const batch = sealed.outbox.sealed
  if (batch === null) throw new Error('nothing sealed')
  const settled = settle(sealed, batch, { outcomes: [{ code: 'ok', revision: 7 }], keys: {} })
  expect(settle(settled, batch, { outcomes: [{ code: 'denied' }], keys: {} })).toBe(settled)
})

describe('a write made on top of our own earlier one', () => {
  function settledWith(stored: string): LocalState {
    const first = sealBatch(withWrites(set('a', 'mine', 3)))
    const batch = first.outbox.sealed
    if (batch === null) throw new Error('nothing sealed')
    const second = open(set('a', 'mine too', 3), [batch.mutations[0]?.id ?? ''])
    const outcomes: Outcome[] = [{ code: 'ok', revision: 4 }]
    return settle({ ...first, open: withOpen(first.open, second) }, batch, {
      outcomes,
      keys: { a: [4, stored] },
    })
  }

  test('a second write is compared with what the server made of the first', () => {
    expect(settledWith('mine').open[0]?.mutation).toMatchObject({ base: { revision: 4, value: 'mine' } })
  })

  test('a second write is merged again where the server merged the first, so that what others added is not lost', () => {
    expect(settledWith('mine and theirs').open[0]?.mutation).toMatchObject({
      base: { revision: 3, value: 'mine' },
    })
  })
})

describe('two tabs that compute from one value', () => {
  test('each tab’s update replaces only what that tab saw; the second meets the first on the server, in a batch of its own', () => {
    const state = withWrites(set('list', 'a', 3), set('list', 'b', 3))
    const sealed = sealBatch(state)
    expect(sealed.outbox.sealed?.mutations).toMatchObject([{ value: 'a' }])
    expect(sealed.open).toMatchObject([{ mutation: { value: 'b', base: { revision: 3 } } }])
  })

  test('an older write that arrives late does not take the place of a newer one', () => {
    const older = open(set('a', 'old'))
    const newer = open(set('a', 'new'))
    expect(withOpen(withOpen([], newer), older)).toEqual([newer])
  })
})

test('a write of somebody who has left is never sealed and never shown', () => {
  const state = withWrites(set('a', 'of nobody'))
  const mirror = { ...state.mirror, owner: 'grace' }
  const handed = { ...state, mirror }
  expect(pendingOf(handed)).toEqual([])
  expect(sealBatch(handed).outbox.sealed).toBeNull()
  expect(sealBatch(handed).open).toEqual([])
})

test('a forked batch goes out again under a new client id as its first', () => {
  const sealed = sealBatch(withWrites(set('a', '1')))
  const batch = sealed.outbox.sealed
  if (batch === null) throw new Error('nothing sealed')
  const forked = fork(sealed, batch)
  expect(forked.outbox.client).not.toBe(sealed.outbox.client)
  expect(parseBatch(forked.outbox.sealed?.text ?? '')).toMatchObject({
    client: forked.outbox.client,
    number: 1,
  })
  expect(forked.outbox.sealed?.mutations).toEqual(batch.mutations)
})

test('a long outbox is sent in several batches, none above the limits', () => {
  let state = withWrites(...Array.from({ length: 450 }, () => increment('n')))
  const sizes: number[] = []
  while (state.open.length > 0 || state.outbox.sealed !== null) {
    state = sealBatch(state)
    const batch = state.outbox.sealed
    if (batch === null) throw new Error('nothing sealed')
    sizes.push(batch.mutations.length)
    expect(batch.text.length).toBeLessThan(limits.bodyBytes)
    state = settle(state, batch, { outcomes: [], keys: {} })
  }
  expect(sizes.every((size) => size <= limits.batchMutations)).toBe(true)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(450)
})
