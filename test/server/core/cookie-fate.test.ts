// What an answer does with the browser's cookie, over everything that it depends on. The table is written from
// docs/protocol.md and from what a browser would see, not from the function.
import { describe, expect, test } from 'vitest'
import type { Epoch } from '../../../src/protocol/state.ts'
import {
  type CookieAfter,
  type CookieBefore,
  type CookieFate,
  type CookiePlan,
  cookieFate,
} from '../../../src/server/core/cookie-fate.ts'

const record = (epoch: string) => ({ record: { epoch: epoch as Epoch } })
const none: CookieBefore = { state: 'none' }
const dead: CookieBefore = { state: 'dead' }
const live: CookieBefore = { state: 'live', ...record('first-life-------') }
const same: CookieAfter = record('first-life-------')
const another: CookieAfter = record('second-life------')

type Row = readonly [
  what: string,
  before: CookieBefore,
  after: CookieAfter,
  plan: CookiePlan,
  expected: CookieFate,
]

describe('the cookie of an answer', () => {
  test.each<Row>([
    ['no session came and none began', none, undefined, {}, 'keep'],
    ['a session began', none, another, {}, 'set'],
    ['a session began and ended again in this request', none, undefined, { isEnded: true }, 'keep'],
    ['a dead cookie came and nothing was stored', dead, undefined, {}, 'keep'],
    [
      'a dead cookie came and the request ended its session once more',
      dead,
      undefined,
      { isEnded: true },
      'clear',
    ],
    ['a dead cookie came and a session began', dead, another, {}, 'set'],
    ['a live session was read', live, same, {}, 'keep'],
    ['a live session was changed', live, same, {}, 'keep'],
    ['a live session was renewed, or got another id', live, same, { isRenewed: true }, 'set'],
    ['a live session was signed in to or regenerated', live, another, {}, 'set'],
    ['a live session was ended by this request', live, undefined, { isEnded: true }, 'clear'],
    ['a live session was ended and another one began', live, another, { isEnded: true }, 'set'],
  ])('the cookie is decided where %s', (_what, before, after, plan, expected) => {
    expect(cookieFate(before, after, plan)).toBe(expected)
  })

  test.each<Row>([
    ['a session that began', none, another, {}, 'keep'],
    ['a sign-in', live, another, {}, 'keep'],
    ['a renewal', live, same, { isRenewed: true }, 'keep'],
    ['an end', live, undefined, { isEnded: true }, 'keep'],
  ])(
    'the cookie promises nothing of %s once a later change could not be stored',
    (_what, before, after, plan, expected) => {
      expect(cookieFate(before, after, { ...plan, hasFailed: true })).toBe(expected)
    },
  )

  test.each<Row>([
    ['a live session that changed', live, same, {}, 'set'],
    ['a session that began', none, another, {}, 'set'],
    ['a session that was stored before a later change failed', live, same, { hasFailed: true }, 'set'],
    ['an ended session', live, undefined, { isEnded: true }, 'clear'],
  ])('the cookie is decided for %s when sessions are kept in it', (_what, before, after, plan, expected) => {
    expect(cookieFate(before, after, { ...plan, isCarriedChanged: true })).toBe(expected)
  })
})
