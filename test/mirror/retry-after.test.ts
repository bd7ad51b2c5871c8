import { expect, test } from 'vitest'
import { retryAfterSeconds } from '../../src/mirror/wire/retry-after.ts'

const inSeconds = (seconds: number, from = Date.now()): string =>
  new Date(from + seconds * 1000).toUTCString()

test.for([
  ['nothing', {}, 0],
  ['seconds', { 'retry-after': '120' }, 120],
  ['no number', { 'retry-after': 'soon' }, 0],
  ['a negative number', { 'retry-after': '-5' }, 0],
  ['a date that is over', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
  [
    'a date, by the clock of the server that says it',
    { 'retry-after': inSeconds(90, 86_400_000), date: inSeconds(0, 86_400_000) },
    90,
  ],
] as const)('Retry-After says %s', ([, headers, expected]) => {
  expect(retryAfterSeconds(new Headers(headers))).toBe(expected)
})

test('a date without that of the answer is one of this clock', () => {
  const seconds = retryAfterSeconds(new Headers({ 'retry-after': inSeconds(60) }))
  expect(seconds).toBeGreaterThan(57)
  expect(seconds).toBeLessThanOrEqual(60)
})
