import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { code, createWorld, secrets, watchStore } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const navigation = { 'sec-fetch-mode': 'navigate' }
const day = 86_400

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

describe('a cookie that is not fresh any more', () => {
  test('is stale for requests, and good for a refresh', async () => {
    const { world, browser } = await signedIn()
    world.sleep(900)
    expect(await browser.get()).toMatchObject({ status: 401, code: 'stale', cookies: [] })
    expect(await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }])).toMatchObject({ code: 'stale' })
    await expect(browser.app(() => undefined)).rejects.toEqual(code('stale'))
    const reply = await browser.post('refresh', nothing)
    expect(reply).toMatchObject({ status: 200, message: { owner: 'alice', freshIn: 900 } })
    expect(reply.headers['session-fresh-in']).toBe('900')
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('is renewed in place when a page is opened', async () => {
    const { world, browser } = await signedIn()
    world.sleep(2000)
    await browser.app((session) => expect(session.owner).toBe('alice'), navigation)
    expect((await browser.get()).message.freshIn).toBe(900)
  })

  test('is renewed with any answer once half of its time is over, and not before', async () => {
    const { world, browser } = await signedIn()
    world.sleep(450)
    expect(await browser.get()).toMatchObject({ cookies: [], message: { freshIn: 450 } })
    world.sleep(1)
    const reply = await browser.get()
    expect(reply.cookies).toHaveLength(1)
    expect(reply.message.freshIn).toBe(900)
    world.sleep(500)
    const before = browser.cookie
    await browser.app((session) => session.get('theme'))
    expect(browser.cookie).not.toBe(before)
  })

  test('of a session that is over says so, and not that it is stale', async () => {
    const { world, browser } = await signedIn()
    const copy = browser.copy()
    await browser.signOut()
    world.sleep(1000)
    expect((await copy.get()).code).toBe('ended')
  })
})

describe('timeouts', () => {
  test('a session that is idle for too long has expired', async () => {
    const { world, browser } = await signedIn()
    world.sleep(day)
    expect(await browser.get()).toMatchObject({ status: 401, code: 'expired', cookies: [] })
    expect(await browser.post('refresh', nothing)).toMatchObject({ code: 'expired', cookies: [] })
    await browser.app((session) => expect([session.owner, session.missing]).toEqual([null, 'expired']))
  })

  test('each use begins the idle time anew', async () => {
    const { world, browser } = await signedIn()
    for (let count = 0; count < 10; count++) {
      world.sleep(day - 10)
      expect((await browser.post('refresh', nothing)).status).toBe(200)
    }
  })

  test('a session ends absolutely, however much it is used', async () => {
    const { world, browser } = await signedIn({ absoluteTimeoutSeconds: 3 * day })
    for (let count = 0; count < 6; count++) {
      await browser.post('refresh', nothing)
      world.sleep(day / 2 - 1)
    }
    expect((await browser.post('refresh', nothing)).message.expiresIn).toBe(6)
    world.sleep(6)
    expect((await browser.get()).code).toBe('expired')
  })

  test('a sign-in begins the absolute time anew', async () => {
    const { world, browser } = await signedIn({ absoluteTimeoutSeconds: day })
    world.sleep(day - 100)
    await browser.app((session) => session.signIn('alice'), navigation)
    world.sleep(800)
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test.each([
    { idleTimeoutSeconds: 0 },
    { freshSeconds: -1 },
    { rotateSeconds: 1.5 },
    { freshSeconds: 100, idleTimeoutSeconds: 50 },
    { idleTimeoutSeconds: 100, absoluteTimeoutSeconds: 99, freshSeconds: 1 },
    { base: 'session' },
    { base: '/session/' },
    { base: '/' },
    { allowedOrigins: ['https://a.example/'] },
    { allowedOrigins: ['*'] },
    { onLost: 'ignore' as never },
    { cookie: { sameSite: 'None', secure: false } as const },
    { cookie: { partitioned: true, secure: 'auto' } as const },
    { cookie: { sameSite: 'lax' as never } },
    { cookie: { name: '__Host-x' } },
    { cookie: { name: 'a;b' } },
    { store: {} as never },
    { schema: {} as never },
  ])('the options %j are refused at the start', (options) => {
    expect(() => createWorld(options)).toThrow(code('invalid-option') as Error)
  })
})

describe('a session that the store has lost', () => {
  async function lost(options: Parameters<typeof createWorld>[0] = {}) {
    const inner = { store: memoryStore() }
    const store: Store = {
      name: 'volatile',
      guarantees: inner.store.guarantees,
      read: (...parameters) => inner.store.read(...parameters),
      create: (...parameters) => inner.store.create(...parameters),
      replace: (...parameters) => inner.store.replace(...parameters),
      end: (...parameters) => inner.store.end(...parameters),
      close: () => inner.store.close(),
    }
    const { world, browser } = await signedIn({ store, ...options })
    inner.store = memoryStore()
    return { world, browser }
  }

  test('is reported, not replaced', async () => {
    const { browser } = await lost()
    expect(await browser.get()).toMatchObject({ status: 409, code: 'lost', cookies: [] })
    expect(await browser.post('refresh', nothing)).toMatchObject({ code: 'lost', cookies: [] })
    await expect(browser.app(() => undefined)).rejects.toEqual(code('lost'))
    await browser.app((session) => expect(session.missing).toBe('lost'), navigation)
  })

  test('is an anonymous one where the app wants that', async () => {
    const { browser } = await lost({ onLost: 'anonymous' })
    await browser.app((session) => {
      expect([session.owner, session.missing]).toEqual([null, 'lost'])
      session.set('theme', 'anew')
    })
    expect((await browser.get()).message).toMatchObject({ owner: null, keys: { theme: [1, 'anew'] } })
  })

  test('is ended, once the browser has taken note', async () => {
    const { browser } = await lost()
    const cookie = browser.cookie
    expect(await browser.signOut({ 'session-epoch': 'acknowledge' })).toMatchObject({ status: 200 })
    browser.cookie = cookie
    expect((await browser.get()).code).toBe('ended')
    await browser.app((session) => expect(session.missing).toBe('ended'))
  })

  test('lets a browser start anew with its dead cookie', async () => {
    const { browser } = await lost()
    expect(
      (await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }])).message.keys['visits'],
    ).toEqual([1, 1])
    expect((await browser.get()).status).toBe(200)
  })

  test('when what is there was swapped, cut, flipped or made by somebody else', async () => {
    const store = memoryStore()
    const { world, browser } = await signedIn({ store })
    const other = world.browser()
    await other.app((session) => session.signIn('bob'))
    const [mine, theirs] = await Promise.all([browser, other].map((one) => keyOf(world, one)))
    const own = await valueOf(store, mine)
    const foreign = await valueOf(store, theirs)
    const poisons = [
      foreign,
      new Uint8Array(0),
      own.slice(0, -1),
      new TextEncoder().encode('{"kind":"live"}'),
    ]
    for (let at = 0; at < own.length; at++) {
      const flipped = own.slice()
      flipped[at] = (flipped[at] ?? 0) ^ 1
      poisons.push(flipped)
    }
    for (const poison of poisons) {
      await store.end(mine ?? '', poison, 60)
      expect(await browser.get()).toMatchObject({ status: 409, code: 'lost', cookies: [] })
    }
    await store.end(mine ?? '', own, 60)
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('when the store goes back to a state before the cookie’s floor', async () => {
    const store = memoryStore()
    const { world, browser } = await signedIn({ store })
    const key = await keyOf(world, browser)
    const old = await valueOf(store, key)
    await browser.app((session) => session.set('theme', 'new'))
    await browser.post('refresh', nothing)
    await store.end(key, old, 60)
    expect((await browser.get()).code).toBe('lost')
  })
})

describe('a store that does not answer', () => {
  test('is 503 with Retry-After, sets and clears nothing, and signs nobody out', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store })
    const { epoch } = (await browser.get()).message
    store.broken = true
    const replies = [
      await browser.get(),
      await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }], { epoch, owner: 'alice' }),
      await browser.post('refresh', nothing),
      await browser.signOut(),
      await world.browser().sync([{ kind: 'increment', key: 'visits', by: 1 }]),
    ]
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 503, code: 'store-unavailable', cookies: [] })
      expect(reply.headers['retry-after']).toBe('1')
      expect(reply.body).not.toContain('broken')
    }
    await expect(browser.app(() => undefined)).rejects.toEqual(code('store-unavailable'))
    store.broken = false
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('while saving leaves the changes to be tried again', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store })
    const session = await world.sessions.load(browser.request('/app'))
    session.set('theme', 'dark')
    store.broken = true
    await expect(session.save()).rejects.toEqual(code('store-unavailable'))
    expect(world.sessions.progress(session)).toMatchObject({ hasFailed: true, isDirty: true })
    store.broken = false
    await session.save()
    expect(world.sessions.progress(session)).toMatchObject({ hasFailed: false, isDirty: false })
    await browser.app((again) => expect(again.get('theme')).toBe('dark'))
  })
})

test('an answer with changes that could not be stored sets no cookie, not even that of an earlier save', async () => {
  const store = watchStore(memoryStore())
  const world = createWorld({ store })
  const session = await world.sessions.load(world.browser().request('/app'))
  const cookies = (): string[] => world.sessions.answer(session, new Response()).headers.getSetCookie()
  session.set('theme', 'stored')
  expect(cookies()).toEqual([])
  await session.save()
  expect(cookies()).toHaveLength(1)
  store.broken = true
  session.set('theme', 'lost')
  await expect(session.save()).rejects.toEqual(code('store-unavailable'))
  expect(cookies()).toEqual([])
})

describe('rotation', () => {
  const due = 3600

  test('gives an old session id a successor, which holds the same session', async () => {
    const { world, browser } = await signedIn()
    await browser.app((session) => session.set('theme', 'dark'))
    const before = (await browser.get()).message
    world.sleep(due)
    const old = browser.copy()
    await browser.post('refresh', nothing)
    expect(await keyOf(world, browser)).not.toBe(await firstKeyOf(old))
    expect((await browser.get()).message).toMatchObject({
      epoch: before.epoch,
      revision: before.revision,
      keys: before.keys,
    })
  })

  test.each(['the app', 'a pull', 'a sync'])(
    'comes with the cookie that an answer of %s renews, too: nobody has to refresh',
    async (kind) => {
      const { world, browser } = await signedIn()
      const { epoch } = (await browser.get()).message
      const ids = new Set<string>()
      for (let step = 0; step < 20; step++) {
        world.sleep(500)
        const tab = browser.copy()
        const ask = (one: typeof browser): Promise<unknown> =>
          kind === 'the app'
            ? one.app((session) => session.get('theme'))
            : kind === 'a pull'
              ? one.get()
              : one.sync([{ kind: 'increment', key: 'visits', by: 1 }], {
                  epoch,
                  owner: 'alice',
                  client: `client-${step}-${ids.size}`,
                  number: 1,
                })
        await ask(browser)
        await ask(tab)
        ids.add(browser.cookie.split('.')[2] ?? '')
        expect(tab.cookie.split('.')[2]).toBe(browser.cookie.split('.')[2])
        expect((await browser.get()).message.epoch).toBe(epoch)
      }
      expect(ids.size).toBe(3)
    },
  )

  test('is left for the next time when the store fails just then: what was saved is saved', async () => {
    const store = watchStore(memoryStore({ clock: () => 1_800_000_000_000 }))
    const world = createWorld({ store, rotateSeconds: 1 })
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'light'))
    world.sleep(500)
    const session = await world.sessions.load(browser.request('/app'))
    session.set('theme', 'dark')
    const { create } = store
    store.create = async () => ({ kind: 'unavailable', cause: new Error('just then') })
    expect((await session.save()).changed).toEqual(['theme'])
    expect(world.sessions.answer(session, new Response()).headers.getSetCookie()).toEqual([])
    store.create = create
    expect(await browser.app((again) => again.get('theme'))).toBe('dark')
  })

  test('of 100 refreshes at once gives one successor', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    const tabs = Array.from({ length: 100 }, () => browser.copy())
    const replies = await Promise.all(tabs.map((tab) => tab.post('refresh', nothing)))
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]))
    expect(new Set(tabs.map((tab) => tab.cookie)).size).toBe(1)
  })

  test('of refreshes at two servers of one store gives one successor', async () => {
    let ms = 1_800_000_000_000
    const clock = (): number => ms
    const store = memoryStore({ clock })
    const [one, two] = [createWorld({ store, clock }), createWorld({ store, clock })]
    const first = one.browser()
    await first.app((session) => session.signIn('alice'))
    ms += due * 1000
    const tabs = Array.from({ length: 40 }, (_, index) => {
      const tab = (index % 2 === 0 ? one : two).browser()
      tab.cookie = first.cookie
      return tab
    })
    await Promise.all(tabs.map((tab) => tab.post('refresh', nothing)))
    expect(new Set(tabs.map((tab) => tab.cookie)).size).toBe(1)
    expect(tabs[0]?.cookie).not.toBe(first.cookie)
  })

  test('lets a tab write with the old id while its request is under way', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    await browser.app(() => undefined, navigation)
    const slow = await world.sessions.load(browser.request('/app'))
    slow.set('theme', 'late')
    await browser.post('refresh', nothing)
    await slow.save()
    expect((await browser.get()).message.keys['theme']?.[1]).toBe('late')
  })

  test('takes a lost Set-Cookie without signing anybody out', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    const old = browser.copy()
    await browser.copy().post('refresh', nothing)
    for (let count = 0; count < 5; count++) {
      world.sleep(due)
      expect(await old.copy().post('refresh', nothing)).toMatchObject({
        status: 200,
        message: { owner: 'alice' },
      })
    }
    const reply = await old.post('refresh', nothing)
    expect(reply.cookies).toHaveLength(1)
    expect((await old.get()).message.owner).toBe('alice')
  })

  test('lets the old id lead to the new one for the grace time only; then its use ends the session', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    const thief = browser.copy()
    await browser.post('refresh', nothing)
    await browser.get()
    world.sleep(60)
    expect((await thief.copy().post('refresh', nothing)).status).toBe(200)
    world.sleep(1)
    expect(await thief.get()).toMatchObject({ status: 401, code: 'reuse', cookies: [] })
    expect(await browser.get()).toMatchObject({ status: 401, code: 'reuse' })
    await browser.app((session) => expect([session.owner, session.missing]).toEqual([null, 'reuse']))
  })

  test('notices an old id after several rotations too', async () => {
    const { world, browser } = await signedIn()
    const thief = browser.copy()
    for (let count = 0; count < 4; count++) {
      world.sleep(due)
      await browser.post('refresh', nothing)
      await browser.get()
    }
    expect((await thief.get()).code).toBe('reuse')
    expect((await browser.get()).code).toBe('reuse')
  })

  test('does not undo a sign-out, with the old id or the new one', async () => {
    for (const who of ['old', 'new'] as const) {
      const { world, browser } = await signedIn()
      world.sleep(due)
      const old = browser.copy()
      await browser.post('refresh', nothing)
      const copies = [old.copy(), browser.copy()]
      await (who === 'old' ? old : browser).signOut()
      for (const copy of copies) expect((await copy.get()).code).toBe('ended')
    }
  })

  test('comes at once when the secret has changed', async () => {
    const store = memoryStore({ clock: () => 1_800_000_000_000 })
    const { browser } = await signedIn({ store })
    const world = createWorld({ store, secrets: ['a newer secret, long enough for anybody', ...secrets] })
    const moved = world.browser()
    moved.cookie = browser.cookie
    await moved.post('refresh', nothing)
    expect(await keyOf(world, moved)).not.toBe(await firstKeyOf(browser))
  })

  test('leaves nothing in the store that could be used as a cookie', async () => {
    const values: string[] = []
    let ms = 1_800_000_000_000
    const clock = (): number => ms
    const inner = memoryStore({ clock })
    const note = (key: string, value: Uint8Array): void =>
      void values.push(key, new TextDecoder().decode(value))
    const store: Store = {
      ...inner,
      create(key, value, ttlSeconds) {
        note(key, value)
        return inner.create(key, value, ttlSeconds)
      },
      replace(key, value, rest) {
        note(key, value)
        return inner.replace(key, value, rest)
      },
    }
    const browser = createWorld({ store, clock }).browser()
    await browser.app((session) => session.signIn('alice'))
    const sids = [browser.cookie.split('.')[2] ?? '?']
    ms += due * 1000
    await browser.post('refresh', nothing)
    sids.push(browser.cookie.split('.')[2] ?? '?')
    for (const sid of sids) expect(values.join('\n')).not.toContain(sid.slice(6))
    for (const [index, key] of values.entries()) if (index % 2 === 0) expect(key).toMatch(/^smo?1:[\w-]{43}$/)
  })
})

/** Where the session of this very cookie was stored, whatever became of it. */
async function firstKeyOf(browser: { cookie: string }): Promise<string> {
  const { nodeCrypto } = await import('../../../src/server/node/node-crypto.ts')
  const { createKeyRing } = await import('../../../src/server/codec/key-ring.ts')
  const { createFindPlace } = await import('../../../src/server/codec/record.ts')
  const find = createFindPlace(createKeyRing(secrets, nodeCrypto))
  return find((browser.cookie.split('.')[2] ?? '') as never)?.key ?? ''
}

async function keyOf(world: ReturnType<typeof createWorld>, browser: { cookie: string }): Promise<string> {
  const probe = world.browser()
  probe.cookie = browser.cookie
  return (await world.sessions.inspect(probe.request('/'))).storeKey ?? ''
}

async function valueOf(store: Store, key: string | undefined): Promise<Uint8Array> {
  const read = await store.read(key ?? '', 86_400)
  if (read.kind !== 'hit') throw new Error(read.kind)
  return read.value
}
