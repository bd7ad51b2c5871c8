import { describe, expect, test } from 'vitest'
import { type Current, type Mutation, decideMutation, valueWithPending } from '../../src/protocol/mutation.ts'
import { defineSession, definitionOf, readable, writable } from '../../src/protocol/schema.ts'
import type { Epoch, MirrorState } from '../../src/protocol/state.ts'
import * as v from 'valibot'

const epoch = 'epoch-one' as Epoch
const other = 'epoch-two' as Epoch
const union = (_base: string[] | undefined, mine: string[], theirs: string[] | undefined): string[] => [
  ...new Set([...(theirs ?? []), ...mine]),
]
const schema = defineSession({
  user: readable<string>(),
  theme: writable(v.picklist(['light', 'dark'])),
  note: writable<string>({ policy: 'if-unchanged' }),
  tags: writable<string[]>({ policy: { merge: union } }),
  broken: writable<string>({
    policy: {
      merge: () => {
        throw new Error('no')
      },
    },
  }),
  visits: writable.counter(),
  secret: v.string(),
})

const now = (revision: number, value?: Current['value']): Current => ({ epoch, revision, value })
const set = (key: string, value: unknown, base?: object): Mutation =>
  ({ id: 'mutation-1', kind: 'set', key, value, ...(base === undefined ? {} : { base }) }) as Mutation
const ask = (mutation: Mutation, current: Current): unknown =>
  decideMutation(definitionOf(schema, mutation.key), current, mutation)

describe('who may write what', () => {
  test.each([
    ['a readable key', set('user', 'eve')],
    ['a hidden key', set('secret', 'x')],
    ['a key that the schema does not have', set('nope', 1)],
    ['a counter by set', set('visits', 5)],
    ['a value by increment', { id: 'mutation-1', kind: 'increment', key: 'theme', by: 1 } as Mutation],
    ['a name on the prototype', set('toString', 1)],
  ])('%s is denied', (_what, mutation) => {
    expect(ask(mutation, now(0))).toEqual({ code: 'denied' })
  })
})

describe('policies', () => {
  test('last-write-wins takes the write whatever happened since', () => {
    expect(ask(set('theme', 'dark'), now(9, 'light'))).toEqual({ code: 'set', value: 'dark' })
  })
  test('if-unchanged takes a write on the newest revision and refuses one on an older', () => {
    expect(ask(set('note', 'b', { epoch, revision: 4, value: 'a' }), now(4, 'a'))).toEqual({
      code: 'set',
      value: 'b',
    })
    expect(ask(set('note', 'b', { epoch, revision: 3, value: 'a' }), now(4, 'x'))).toEqual({
      code: 'conflict',
    })
  })
  test('the same revision number of another epoch is another revision', () => {
    expect(ask(set('note', 'b', { epoch: other, revision: 4, value: 'a' }), now(4, 'x'))).toEqual({
      code: 'conflict',
    })
  })
  test('a key that nobody ever wrote is unchanged in every epoch', () => {
    expect(ask(set('note', 'b', { epoch: null, revision: 0 }), now(0))).toEqual({ code: 'set', value: 'b' })
  })
  test('merge joins both sides when they met, and leaves a lone write as it is', () => {
    expect(ask(set('tags', ['b'], { epoch, revision: 1, value: ['a'] }), now(2, ['a', 'c']))).toEqual({
      code: 'set',
      value: ['a', 'c', 'b'],
    })
    expect(ask(set('tags', ['b'], { epoch, revision: 2, value: ['a'] }), now(2, ['a']))).toEqual({
      code: 'set',
      value: ['b'],
    })
  })
  test('a merge that throws is an invalid write, not a crash', () => {
    expect(ask(set('broken', 'b', { epoch, revision: 1, value: 'a' }), now(2, 'c'))).toMatchObject({
      code: 'invalid',
    })
  })
  test('increments add to what is there, from zero', () => {
    const increment: Mutation = { id: 'mutation-1', kind: 'increment', key: 'visits', by: 3 }
    expect(ask(increment, now(7, 4))).toEqual({ code: 'set', value: 7 })
    expect(ask(increment, now(0))).toEqual({ code: 'set', value: 3 })
  })
  test('a counter past the safe integers is invalid', () => {
    const increment: Mutation = { id: 'mutation-1', kind: 'increment', key: 'visits', by: 1 }
    expect(ask(increment, now(1, Number.MAX_SAFE_INTEGER))).toMatchObject({ code: 'invalid' })
  })
  test('a value that the validator refuses is invalid, with the validator’s own words', () => {
    expect(ask(set('theme', 'pink'), now(0))).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('pink'),
    })
  })
})

test('a browser shows the mirror with its pending writes on top, in order', () => {
  const mirror: MirrorState = {
    epoch,
    owner: null,
    revision: 3,
    keys: { visits: [2, 10], theme: [3, 'light'] },
  }
  const pending: Mutation[] = [
    { id: 'mutation-1', kind: 'increment', key: 'visits', by: 2 },
    set('theme', 'dark'),
    { id: 'mutation-2', kind: 'increment', key: 'visits', by: 1 },
    { id: 'mutation-3', kind: 'remove', key: 'theme' },
  ]
  expect(valueWithPending(schema, mirror, { key: 'visits', pending })).toBe(13)
  expect(valueWithPending(schema, mirror, { key: 'theme', pending: pending.slice(0, 2) })).toBe('dark')
  expect(valueWithPending(schema, mirror, { key: 'theme', pending })).toBeUndefined()
})
