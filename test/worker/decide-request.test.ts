import { describe, expect, test } from 'vitest'
import { decideRequest, patternsOf } from '../../src/worker/decide-request.ts'
import { parseMessage } from '../../src/worker/messages.ts'

const origin = 'https://shop.example'
const options = { api: ['/api/', 'https://api.example'], origin, session: '/session' }
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
  ])('%s', (_what, request, expected) => {
    expect(decideRequest(request, options)).toBe(expected)
  })

  test('the session’s routes are passed by even where the app lists everything', () => {
    const all = { ...options, api: ['/'] }
    expect(decideRequest({ ...page, url: `${origin}/session` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/session?since=3` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/session/refresh` }, all)).toBe('pass')
    expect(decideRequest({ ...page, url: `${origin}/sessions-of-the-choir` }, all)).toBe('attach')
  })
})

test('static routes name what is listed, and nothing else', () => {
  expect(patternsOf(options)).toEqual(['https://shop.example/api/*', 'https://api.example/*'])
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
