import { describe, expect, test } from 'vitest'
import { type ApiPlace, readApiList } from '../../src/mirror/wire/api-list.ts'
import { decideRequest, patternsOf } from '../../src/worker/decide-request.ts'
import { parseMessage } from '../../src/worker/messages.ts'

const origin = 'https://shop.example'
const place: ApiPlace = { origin, session: '/session' }
const asked = (api: readonly string[]) => ({ list: readApiList(api, place), routes: `${origin}/session` })
const options = asked(['/api/', 'https://api.example'])
const page = { mode: 'cors', clientId: 'page-1' }

describe('which requests the worker touches', () => {
  test.each([
    ['a listed path', { ...page, url: `${origin}/api/cart?x=1` }, 'attach'],
    [
      'a listed path in mode same-origin',
      { ...page, mode: 'same-origin', url: `${origin}/api/cart` },
      'attach',
    ],
    ['a listed origin', { ...page, url: 'https://api.example/anything' }, 'attach'],
    ['a navigation to a listed path', { ...page, mode: 'navigate', url: `${origin}/api/cart` }, 'pass'],
    ['a request of no known client', { ...page, clientId: '', url: `${origin}/api/cart` }, 'pass'],
    ['a no-cors request', { ...page, mode: 'no-cors', url: `${origin}/api/pixel.gif` }, 'pass'],
    ['another path', { ...page, url: `${origin}/apiary` }, 'pass'],
    ['the same path on another origin', { ...page, url: 'https://evil.example/api/cart' }, 'pass'],
    [
      'an origin that only begins like a listed one',
      { ...page, url: 'https://api.example.evil.example/' },
      'pass',
    ],
    ['the session’s own routes', { ...page, url: `${origin}/session/sync` }, 'pass'],
  ])('the worker decides whether it attaches the session to %s', (_what, request, expected) => {
    expect(decideRequest(request, options)).toBe(expected)
  })

  test('the session’s routes are passed by even where the app lists everything', () => {
    const all = asked(['/'])
    expect(decideRequest({ ...page, url: `${origin}/session` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/session?since=3` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/session/refresh` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/sessions-of-the-choir` }, all)).toBe('attach')
  })
})

test('static routes name what is listed, and nothing else', () => {
  expect(patternsOf(options.list.listed)).toEqual(['https://shop.example/api/*', 'https://api.example/*'])
  // What means something in a pattern means itself in a path.
  expect(patternsOf([`${origin}/api:v1/(x)+/`])).toEqual([`${origin}${String.raw`/api\:v1/\(x\)\+/`}*`])
})

describe('what is left out', () => {
  const left = asked(['/api/', '!/api/upload/', 'https://api.example', '!https://api.example/big/'])
  test.each([
    [`${origin}/api/cart`, 'attach'],
    [`${origin}/api/upload/1`, 'pass'],
    [`${origin}/api/uploads`, 'attach'],
    ['https://api.example/cart', 'attach'],
    ['https://api.example/big/1', 'pass'],
  ])('%s: %s', (url, expected) => {
    expect(decideRequest({ ...page, url }, left)).toBe(expected)
  })

  test('it is listed in the static routes as well', () => {
    expect(patternsOf(left.list.leftOut)).toEqual([`${origin}/api/upload/*`, 'https://api.example/big/*'])
  })
})

test.each([
  'api/',
  '',
  '!',
  '/api/*',
  '/api/?x',
  '/api/#x',
  '/api/,/v2/',
  ' /api/',
  '/ämter/',
  '/a/../api/',
  '//api.example/',
  'https://api.example/',
  'https://api.example/v1/',
  'https://API.example',
  'https://api.example:443',
  'wss://api.example',
  'http://',
  '/session',
  '/session/sync',
  '!/other/',
  '!https://other.example/',
  7 as never,
])('an entry that can match nothing is refused: %s', (entry) => {
  expect(() => readApiList(['/api/', entry], place)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(`"${entry}"`) }),
  )
})

describe('messages', () => {
  const client = { type: 'window', url: `${origin}/` }
  test('messages are taken from a page of this origin', () => {
    expect(parseMessage({ type: 'claim' }, client, origin)).toEqual({ type: 'claim' })
  })
  test.each([
    ['no source', null],
    ['a page of another origin', { type: 'window', url: 'https://evil.example/' }],
    ['a worker', { type: 'worker', url: `${origin}/` }],
    ['a source without a url', { type: 'window' }],
    ['a source with a url that is none', { type: 'window', url: 'nonsense' }],
  ])('messages from %s are ignored', (_what, source) => {
    expect(parseMessage({ type: 'retire' }, source, origin)).toBeUndefined()
  })
  test('ten thousand other messages are ignored without a throw', () => {
    const junk = [
      null,
      undefined,
      1,
      '',
      'claim',
      [],
      {},
      { type: 'CLAIM' },
      { type: ['claim'] },
      { type: { toString: () => 'claim' } },
    ]
    for (let count = 0; count < 10_000; count++) {
      const data =
        count % 2 === 0 ? junk[count % junk.length] : { type: String.fromCharCode(count), data: junk }
      expect(parseMessage(data, client, origin)).toBeUndefined()
    }
  })
})
