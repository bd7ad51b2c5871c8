import { expect, test } from 'vitest'
import { parseJson, toJson } from '../../src/protocol/json.ts'
import * as limits from '../../src/protocol/limits.ts'

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

test('a value is copied and frozen, so that changing the original changes nothing', () => {
  const original = { list: [1, { deep: true }] }
  const copy = toJson(original)
  original.list.push(2)
  expect(copy).toEqual({ list: [1, { deep: true }] })
  expect(Object.isFrozen(copy)).toBe(true)
  expect(Object.isFrozen((copy as { list: unknown }).list)).toBe(true)
})

test('undefined members are left out, as JSON does', () => {
  expect(toJson({ a: 1, b: undefined })).toEqual({ a: 1 })
})

test.each([
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
  ['NaN', Number.NaN],
  ['Infinity', { a: [Number.POSITIVE_INFINITY] }],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['an instance of a class', new (class Cart {})()],
  ['undefined', undefined],
  ['a member __proto__', JSON.parse('{"__proto__": {"admin": true}}')],
])('%s is not a value of a session', (_what, value) => {
  expect(() => toJson(value)).toThrow(expect.objectContaining({ code: 'not-json' }))
})

test('a cycle is refused instead of recursing for ever', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  expect(() => toJson(cycle)).toThrow(expect.objectContaining({ code: 'not-json' }))
})

test('text is refused one level deeper than the limit, and a hundred thousand levels deeper', () => {
  expect(parseJson(nested(limits.bodyDepthLevels))).toBeDefined()
  expect(() => parseJson(nested(limits.bodyDepthLevels + 1))).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  )
  expect(() => parseJson(nested(100_000))).toThrow(expect.objectContaining({ code: 'malformed' }))
})

test('brackets inside strings do not count as depth', () => {
  const text = JSON.stringify({ a: '[[['.repeat(100), b: '\\"[[['.repeat(50) })
  expect(parseJson(text)).toEqual(JSON.parse(text))
})

test.each(['', '{', 'undefined', '{"__proto__": 1}', '[{"a": {"__proto__": {}}}]', '{"a": 1e999}'])(
  'the text %j is malformed and touches no prototype',
  (text) => {
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: 'malformed' }))
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('admin')
  },
)
