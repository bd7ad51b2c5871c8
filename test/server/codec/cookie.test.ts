import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { createKeyRing } from '../../../src/server/codec/key-ring.ts'
import { createPlace } from '../../../src/server/codec/record.ts'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { cookieLength } from '../../../src/server/codec/cookie.ts'
import { code, createWorld, schema, secrets, watchStore } from '../harness.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %\u00e9\u2000'

/** A world with one signed-in browser, and its cookie's value. */
async function signedIn() {
  const store = watchStore(memoryStore({ clock: () => 1_800_000_000_000 }))
  const world = createWorld({ store })
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  store.calls.length = 0
  return { world, store, browser, value: browser.cookie.replace('session=', '') }
}

/** How many of `values` are anything but no cookie at all. */
async function accepted(world: ReturnType<typeof createWorld>, values: Iterable<string>): Promise<number> {
  let count = 0
  for (const value of values) {
    const browser = world.browser()
    browser.cookie = `session=${value}`
    const { cookie } = await world.sessions.inspect(browser.request('/app'))
    if (cookie.state !== 'none') count++
  }
  return count
}

function* substitutions(value: string): Generator<string> {
  for (let at = 0; at < value.length; at++) {
    for (const character of alphabet) {
      if (value[at] !== character) yield value.slice(0, at) + character + value.slice(at + 1)
    }
  }
}

function* lengths(value: string): Generator<string> {
  for (let at = 0; at <= value.length; at++) {
    if (at < value.length) yield value.slice(0, at) + value.slice(at + 1)
    for (const character of alphabet) {
      // Space and tab around a cookie's value are not part of it (RFC 6265, 5.2).
      if (character === ' ' && (at === 0 || at === value.length)) continue
      yield value.slice(0, at) + character + value.slice(at)
    }
  }
}

describe('a cookie that was tampered with', () => {
  test('a cookie that was changed in one character, in any place, is no cookie, and the store is not asked', async () => {
    for (let count = 0; count < 3; count++) {
      const { world, store, value } = await signedIn()
      expect(await accepted(world, [value])).toBe(1)
      store.calls.length = 0
      expect(await accepted(world, substitutions(value))).toBe(0)
      expect(await accepted(world, lengths(value))).toBe(0)
      expect(store.calls).toEqual([])
    }
  })

  test.each([
    '',
    ' ',
    'v1',
    'x'.repeat(cookieLength),
    'v1.'.repeat(300),
    `v1${'.'.repeat(cookieLength - 2)}`,
    '__proto__',
  ])('a cookie that was changed to %j is no cookie', async (value) => {
    const { world } = await signedIn()
    expect(await accepted(world, [value])).toBe(0)
  })

  test('a cookie that was tampered with sets and clears nothing', async () => {
    const { browser, value } = await signedIn()
    browser.cookie = `session=${value.slice(0, -1)}!`
    const reply = await browser.get()
    expect(reply.status).toBe(200)
    expect(reply.message.epoch).toBe(null)
    expect(reply.cookies).toEqual([])
  })
})

describe('several cookies of the name', () => {
  test.each([
    ['a bad one before the good one', (good: string) => `session=bad; ${good}`],
    ['a bad one after the good one', (good: string) => `${good}; session=bad`],
    ['the good one twice', (good: string) => `${good}; ${good}`],
    ['other cookies around it', (good: string) => `a=1; xsession=2; session2=3; ${good}; =; ;b`],
    ['tabs and spaces around it', (good: string) => `a=1;\t ${good} \t;b=2`],
  ])('the good cookie is found in a header that has %s', async (_name, header) => {
    const { browser } = await signedIn()
    browser.cookie = header(browser.cookie)
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('two valid cookies of different sessions are refused', async () => {
    const { world, browser } = await signedIn()
    const other = world.browser()
    await other.app((session) => session.signIn('mallory'))
    browser.cookie = `${browser.cookie}; ${other.cookie}`
    expect(await browser.get()).toMatchObject({ status: 400, code: 'ambiguous-cookie', cookies: [] })
    await expect(browser.app(() => undefined)).rejects.toEqual(code('ambiguous-cookie'))
  })

  test('no byte but space and tab beside the name passes for the name', async () => {
    const { world, browser } = await signedIn()
    const value = browser.cookie.slice('session'.length)
    const passed: number[] = []
    for (let byte = 0; byte < 256; byte++) {
      for (const name of [`${String.fromCharCode(byte)}session`, `session${String.fromCharCode(byte)}`]) {
        const other = world.browser()
        other.cookie = name + value
        if ((await other.get()).message.epoch !== null) passed.push(byte)
      }
    }
    // A semicolon before the name ends another cookie.
    expect([...new Set(passed)]).toEqual([0x09, 0x20, 0x3b])
  })
})

describe('name and attributes', () => {
  const app = (options: Parameters<typeof createWorld>[0], at: { host?: string; secure?: boolean }) => {
    const { sessions, browser } = createWorld(options)
    return sessions.load(browser().request('/app', at)).then(async (session) => {
      session.set('theme', 'dark')
      await session.save()
      return sessions.answer(session, new Response()).headers.getSetCookie()[0]
    })
  }

  test('name and attributes are the strictest where the origin is secure', async () => {
    const line = await app({}, { host: 'shop.example', secure: true })
    expect(line).toMatch(
      /^__Host-Http-session=v1\.[\w.-]{117}; Path=\/; Max-Age=172800; HttpOnly; SameSite=Lax; Secure$/,
    )
  })

  test.each(['localhost', 'localhost:3000', 'app.localhost:80', '127.0.0.1:8080', '127.9.9.9', '[::1]:3000'])(
    'name and attributes are plain on plain http to %s',
    async (host) => {
      expect(await app({}, { host })).toMatch(/^session=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/)
    },
  )

  test.each(['shop.example', 'localhost.example', '127.0.0.1.example', '10.0.0.1', '[::2]', ''])(
    'name and attributes are secure on plain http to %j, where a proxy ends TLS',
    async (host) => {
      expect(await app({}, { host })).toMatch(/^__Host-Http-session=.*; Secure$/)
    },
  )

  test('name and attributes follow the options', async () => {
    const cookie = { sameSite: 'None', partitioned: true, secure: true, name: 'sid' } as const
    expect(await app({ cookie }, { host: 'localhost' })).toMatch(
      /^__Host-Http-sid=.*; HttpOnly; SameSite=None; Secure; Partitioned$/,
    )
  })

  test('Max-Age is never above 400 days', async () => {
    const days500 = 43_200_000
    const line = await app({ idleTimeoutSeconds: days500, absoluteTimeoutSeconds: days500 }, {})
    expect(line).toContain('Max-Age=34560000;')
  })

  test('the size does not depend on what the session holds', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('a'))
    const small = browser.cookie.length
    await browser.app((session) => {
      session.signIn('b'.repeat(256))
      session.set('secret', 'x'.repeat(100_000))
    })
    expect(browser.cookie.length).toBe(small)
  })
})

describe('secrets', () => {
  test('the newest secret signs, an older one verifies, a removed one refuses', async () => {
    const [old, fresh] = [
      'the older secret, long enough for anybody',
      'the newer secret, long enough for anybody',
    ]
    const store = memoryStore({ clock: () => 1_800_000_000_000 })
    const before = createWorld({ store, secrets: [old] })
    const browser = before.browser()
    await browser.app((session) => session.signIn('alice'))

    const both = createWorld({ store, secrets: [fresh, old] })
    const moved = both.browser()
    moved.cookie = browser.cookie
    const reply = await moved.get()
    expect(reply.message.owner).toBe('alice')
    expect(moved.cookie).not.toBe(browser.cookie)
    const keyIds = await Promise.all([browser, moved].map((one) => both.sessions.inspect(one.request('/'))))
    expect(keyIds[0]?.cookie.keyId).not.toBe(keyIds[1]?.cookie.keyId)
    expect((await moved.post('refresh', { epoch: null, owner: null, since: 0 })).status).toBe(200)

    const after = createWorld({ store, secrets: [fresh] })
    const [kept, refused] = [after.browser(), after.browser()]
    kept.cookie = moved.cookie
    refused.cookie = browser.cookie
    expect((await kept.get()).message.owner).toBe('alice')
    expect((await refused.get()).message.epoch).toBe(null)
  })

  test.each([
    ['no secret', []],
    ['a short secret', ['x'.repeat(5) + 'y'.repeat(26)]],
    ['a secret twice', [...secrets, ...secrets]],
    ['one character repeated', ['x'.repeat(64)]],
  ])('createSessions refuses %s as weak', (_name, weak) => {
    expect(() => createWorld({ secrets: weak })).toThrow(code('weak-secret') as Error)
  })

  test('what another app signed with the same secret for another purpose is no cookie', async () => {
    const { world, value } = await signedIn()
    const { newest } = createKeyRing(secrets, nodeCrypto)
    const text = value.slice(0, -44)
    const purposes = ['store-key', 'record', 'rotate', 'parking', 'parking-key'] as const
    expect(await accepted(world, [`${text}.${newest.mac.cookie(text)}`])).toBe(1)
    expect(
      await accepted(
        world,
        purposes.map((purpose) => `${text}.${newest.mac[purpose](text)}`),
      ),
    ).toBe(0)
  })

  test('keys are those of HKDF as RFC 5869 has it', async () => {
    const { hkdfSync, createHmac } = await import('node:crypto')
    const key = Buffer.from(hkdfSync('sha256', secrets[0] ?? '', 'session-mirror/1/shop', 'cookie', 32))
    const expected = createHmac('sha256', key).update('text').digest('base64url')
    expect(createKeyRing(secrets, nodeCrypto, 'shop').newest.mac.cookie('text')).toBe(expected)
  })
})

test('a hundred thousand session ids are all different, and every character of them is as likely', () => {
  const [ring, characters] = [createKeyRing(secrets, nodeCrypto), 64]
  const ids = Array.from({ length: 100_000 }, () => createPlace(ring, nodeCrypto).sid.slice(6))
  expect(new Set(ids).size).toBe(ids.length)
  for (let position = 0; position < 32; position++) {
    const counts = new Map<string, number>()
    for (const id of ids) counts.set(id[position] ?? '', (counts.get(id[position] ?? '') ?? 0) + 1)
    const expected = ids.length / characters
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(counts.size).toBe(characters)
    // 63 degrees of freedom: above 140 once in some ten million.
    expect(chiSquare).toBeLessThan(140)
  }
})

test('the schema and the secrets are all that a server needs to know to read another one’s sessions', async () => {
  const store = memoryStore()
  const clock = (): number => 1_800_000_000_000
  const one = createWorld({ store, schema, clock })
  const browser = one.browser()
  await browser.app((session) => session.set('theme', 'dark'))
  const two = createWorld({ store, schema, clock }).browser()
  two.cookie = browser.cookie
  expect(await two.app((session) => session.get('theme'))).toBe('dark')
})
