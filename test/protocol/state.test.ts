import { expect, test } from 'vitest'
import { type Epoch, type MirrorState, type Patch, adopt } from '../../src/protocol/state.ts'

const one = 'epoch-one' as Epoch
const two = 'epoch-two' as Epoch
const mirror: MirrorState = { epoch: one, owner: 'ada', revision: 5, keys: { a: [2, 'a2'], b: [5, 'b5'] } }
const patch = (change: Partial<Patch>): Patch => ({
  epoch: one,
  owner: 'ada',
  revision: 6,
  since: 5,
  keys: {},
  removed: {},
  ...change,
})

test('a patch adds, replaces and removes by key', () => {
  const next = adopt(mirror, patch({ keys: { c: [6, 'c6'], a: [6, 'a6'] }, removed: { b: 6 } }))
  expect(next).toEqual({ epoch: one, owner: 'ada', revision: 6, keys: { a: [6, 'a6'], c: [6, 'c6'] } })
})

test('an older or repeated answer changes nothing, patch or whole', () => {
  expect(adopt(mirror, patch({ revision: 5, since: 4, keys: { b: [5, 'other'] } }))).toBe(mirror)
  expect(adopt(mirror, patch({ revision: 4, since: null, keys: { b: [1, 'old'] } }))).toBe(mirror)
})

test('a patch that overlaps what is known never puts an older value over a newer one', () => {
  const next = adopt(
    mirror,
    patch({ revision: 7, since: 1, keys: { b: [4, 'b4'], a: [7, 'a7'] }, removed: { b: 3 } }),
  )
  expect(next).toMatchObject({ revision: 7, keys: { a: [7, 'a7'], b: [5, 'b5'] } })
})

test('a patch that starts after what is known is a gap', () => {
  expect(adopt(mirror, patch({ revision: 9, since: 7 }))).toBe('gap')
})

test('another epoch is taken whole or not at all', () => {
  expect(adopt(mirror, patch({ epoch: two, revision: 1, since: 0 }))).toBe('gap')
  const whole = adopt(
    mirror,
    patch({ epoch: two, owner: null, revision: 1, since: null, keys: { z: [1, 0] } }),
  )
  expect(whole).toEqual({ epoch: two, owner: null, revision: 1, keys: { z: [1, 0] } })
})
