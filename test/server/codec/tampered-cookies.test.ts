// Valid cookies, each changed in every way that one character or one bit can be, cut off at every place,
// and mixed with each other. None of that is a cookie, so no store is ever asked about it.
import { describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { cookieLength, encodeCookie, verifyCookie } from '../../../src/server/codec/cookie.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { createKeyRing } from '../../../src/server/codec/key-ring.ts'
import { counts } from '../../support/counts.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type Reply, type World, createBrowser, createWorld, watchStore } from '../harness.ts'

const secrets = ['the newer secret, long enough for anybody', 'the older secret, long enough for anybody']
const ring = createKeyRing(secrets, nodeCrypto)
const start = 1_800_000_000

// What a parser might take for a letter of base64url, or forgive: padding, percent signs, blanks, other scripts.
const base64Url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const alphabet = [...base64Url, ...'.=% +/~\t\0\u00a0\u00e9\u00ff\u0131\u017f\u0660\u2000\u212a\ufeff\uff21']

const floors = [0, 1, 35, 36, 1_000_000, Number.MAX_SAFE_INTEGER]
const lifetimes = [0, 1, 900, 86_400, 40_000_000]

const test = base
  .extend('store', { scope: 'file' }, () => watchStore(memoryStore({ clock: () => start * 1000 })))
  .extend('world', { scope: 'file' }, ({ store }) => createWorld({ store, secrets }))
  .extend('cookies', { scope: 'file' }, ({ store }): Promise<readonly string[]> =>
    Promise.all(Array.from({ length: counts.tamperedCookies }, (_, index) => createCookie(store, index))),
  )
  .extend(
    'changed',
    { scope: 'file' },
    ({ cookies }): ReadonlySet<string> => new Set(cookies.flatMap((cookie) => [...changes(cookie)])),
  )

/** Names a session that is in the store; half of them are signed with the older secret. */
async function createCookie(store: Store, index: number): Promise<string> {
  const secret = secrets[index % 2] ?? ''
  const browser = createWorld({ store, secrets: [secret] }).browser()
  await browser.app((session) => session.signIn(`user ${index}`))
  const sid = verifyCookie(browser.cookie.replace('session=', ''), ring, nodeCrypto)?.sid
  if (sid === undefined) throw new Error('The app has set no valid cookie.')
  const issued = start - index * index * 4_000_000
  const expires = issued + (lifetimes[index % lifetimes.length] ?? 0)
  const floor = floors[index % floors.length] ?? 0
  return encodeCookie({ sid, floor, issued, expires }, createKeyRing([secret], nodeCrypto))
}

/** Every other character in every place, every one more, every one less, every other bit. */
function* changes(cookie: string): Generator<string> {
  for (let at = 0; at <= cookie.length; at++) {
    const [head, tail] = [cookie.slice(0, at), cookie.slice(at + 1)]
    for (const character of alphabet) {
      yield head + character + cookie.slice(at)
      if (at < cookie.length && cookie[at] !== character) yield head + character + tail
    }
    if (at === cookie.length) continue
    yield head + tail
    for (let bit = 0; bit < 8; bit++) {
      yield head + String.fromCharCode(cookie.charCodeAt(at) ^ (1 << bit)) + tail
    }
  }
}

/** The head of one with the tail of another, and each field of one in another; never one of the two themselves. */
function* mixtures(one: string, other: string): Generator<string> {
  for (let at = 1; at < cookieLength; at++) yield one.slice(0, at) + other.slice(at)
  const theirs = other.split('.')
  for (let field = 0; field < theirs.length; field++) {
    yield one
      .split('.')
      .map((text, index) => (index === field ? (theirs[index] ?? '') : text))
      .join('.')
  }
}

/** How many texts were tried, and which of them were believed. */
function verifyAll(texts: ReadonlySet<string>): { tried: number; accepted: readonly string[] } {
  const accepted = [...texts].filter((text) => verifyCookie(text, ring, nodeCrypto) !== undefined)
  return { tried: texts.size, accepted }
}

test('valid cookies are valid as they are, and the store is asked about each', async ({
  cookies,
  store,
  world,
}) => {
  expect(new Set(cookies).size).toBe(counts.tamperedCookies)
  expect(verifyAll(new Set(cookies))).toEqual({ tried: counts.tamperedCookies, accepted: cookies })
  for (const cookie of cookies) {
    store.calls.length = 0
    await createBrowser(world.sessions, `session=${cookie}`).get()
    expect(store.calls[0]).toBe('read')
  }
})

describe('a cookie is refused', () => {
  test('a cookie with one character or one bit changed, added or taken away is refused', ({ changed }) => {
    const { tried, accepted } = verifyAll(changed)
    expect(accepted).toEqual([])
    expect(tried).toBeGreaterThanOrEqual(counts.tamperedCookies * 15_000)
  })

  test('a cookie that was put together from two valid ones is refused', ({ cookies }) => {
    const mixed = new Set<string>()
    for (const one of cookies) {
      for (const other of cookies) for (const mixture of mixtures(one, other)) mixed.add(mixture)
    }
    // Where two have the same head or tail, a mixture is one of the two.
    for (const cookie of cookies) mixed.delete(cookie)
    const { tried, accepted } = verifyAll(mixed)
    expect(accepted).toEqual([])
    expect(tried).toBeGreaterThanOrEqual(counts.tamperedCookies ** 2 * 75)
  })

  test('a cookie whose end or beginning is missing, or is there twice, is refused', ({ cookies }) => {
    const cut = new Set<string>()
    for (const cookie of cookies) {
      for (let at = 0; at < cookie.length; at++) {
        cut.add(cookie.slice(0, at)).add(cookie.slice(at + 1))
        cut.add(cookie + cookie.slice(at)).add(cookie.slice(0, at + 1) + cookie)
      }
    }
    const { tried, accepted } = verifyAll(cut)
    expect(accepted).toEqual([])
    expect(tried).toBeGreaterThanOrEqual(counts.tamperedCookies * 450)
  })
})

describe('a request with a changed cookie', () => {
  const refresh = ({ sessions }: World, header: string): Promise<Reply> =>
    createBrowser(sessions, header).post('refresh', { epoch: null, owner: null, since: 0 })

  /** Every 61st: a prime, so that all kinds and all places are met. */
  const sampleOf = (changed: ReadonlySet<string>, cookies: readonly string[]): string[] =>
    [...changed]
      .filter((_, index) => index % 61 === 0)
      // Blanks around a cookie's value are not part of it (RFC 6265, 5.2).
      .filter((text) => !cookies.includes(text.replaceAll(/^[ \t]+|[ \t]+$/g, '')))

  const requests: readonly (readonly [string, (world: World, text: string) => Promise<Reply>])[] = [
    ['reads', ({ sessions }, text) => createBrowser(sessions, `session=${text}`).get()],
    ['refreshes', (world, text) => refresh(world, `session=${text}`)],
    [
      'refreshes, beside a cookie of nonsense',
      (world, text) => refresh(world, `session=v1.x; session=${text}; a=b`),
    ],
  ]
  test.for(requests)(
    'a request with a changed cookie that %s has no session: the store is not asked, and nothing is set',
    async ([, send], { changed, cookies, store, world }) => {
      store.calls.length = 0
      const found = { tried: 0, withSession: 0, withCookie: 0, refused: 0 }
      for (const text of sampleOf(changed, cookies)) {
        const { status, message, cookies: set } = await send(world, text)
        found.tried++
        if (status !== 200) found.refused++
        if (message.epoch !== null) found.withSession++
        if (set.length > 0) found.withCookie++
      }
      expect(found).toEqual({ tried: found.tried, withSession: 0, withCookie: 0, refused: 0 })
      expect(found.tried).toBeGreaterThanOrEqual(counts.tamperedCookies * 200)
      expect(store.calls).toEqual([])
    },
  )
})
