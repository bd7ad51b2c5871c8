// A new session id from time to time: one successor for all, a grace time for the old id, and an alarm after that.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { createKeyRing } from '../../../src/server/codec/key-ring.ts'
import { createFindPlace } from '../../../src/server/codec/record.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import type { Store } from '../../../src/stores/store.ts'
import { createWorld, secrets, watchStore } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const navigation = { 'sec-fetch-mode': 'navigate' }

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

describe('rotation', () => {
  const due = 3600

  test('a refresh gives an old session id a successor, which holds the same session', async () => {
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
    'a new id comes with the cookie that an answer of %s renews, too: nobody has to refresh',
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
        // Both send before either has an answer, as the requests of a page that opens do.
        await Promise.all([ask(browser), ask(tab)])
        ids.add(browser.cookie.split('.')[2] ?? '')
        expect(tab.cookie.split('.')[2]).toBe(browser.cookie.split('.')[2])
        expect((await browser.get()).message.epoch).toBe(epoch)
      }
      expect(ids.size).toBe(3)
    },
  )

  test('a rotation that the store fails is left for the next time: what was saved is saved', async () => {
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

  test('100 refreshes at once get one successor', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    const tabs = Array.from({ length: 100 }, () => browser.copy())
    const replies = await Promise.all(tabs.map((tab) => tab.post('refresh', nothing)))
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]))
    expect(new Set(tabs.map((tab) => tab.cookie)).size).toBe(1)
  })

  test('refreshes at two servers of one store get one successor', async () => {
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

  test('a request that is under way with the old id can still write', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    await browser.app(() => undefined, navigation)
    const slow = await world.sessions.load(browser.request('/app'))
    slow.set('theme', 'late')
    await browser.post('refresh', nothing)
    await slow.save()
    expect((await browser.get()).message.keys['theme']?.[1]).toBe('late')
  })

  test('a browser whose new cookie got lost stays signed in with the old id', async () => {
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

  test('the old id leads to the new one for the grace time only; then its use ends the session', async () => {
    const { world, browser } = await signedIn()
    world.sleep(due)
    const thief = browser.copy()
    await browser.post('refresh', nothing)
    world.sleep(60)
    await browser.get()
    world.sleep(60)
    expect(await thief.copy().post('refresh', nothing)).toMatchObject({ status: 200, cookies: [] })
    world.sleep(1)
    expect(await thief.get()).toMatchObject({ status: 401, code: 'reuse', cookies: [] })
    expect(await browser.get()).toMatchObject({ status: 401, code: 'reuse' })
    await browser.app((session) => expect([session.owner, session.missing]).toEqual([null, 'reuse']))
  })

  test('an old id is noticed after several rotations, too', async () => {
    const { world, browser } = await signedIn()
    const thief = browser.copy()
    for (let count = 0; count < 4; count++) {
      world.sleep(due)
      await browser.post('refresh', nothing)
      world.sleep(60)
      await browser.get()
    }
    expect((await thief.get()).code).toBe('reuse')
    expect((await browser.get()).code).toBe('reuse')
  })

  test('a sign-out holds for the old id and the new one, whichever sent it', async () => {
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

  test('a refresh gives a new id at once when the secret has changed', async () => {
    const store = memoryStore({ clock: () => 1_800_000_000_000 })
    const { browser } = await signedIn({ store })
    const world = createWorld({ store, secrets: ['a newer secret, long enough for anybody', ...secrets] })
    const moved = world.browser()
    moved.cookie = browser.cookie
    await moved.post('refresh', nothing)
    expect(await keyOf(world, moved)).not.toBe(await firstKeyOf(browser))
  })

  test('the store holds nothing that could be used as a cookie', async () => {
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
  const find = createFindPlace(createKeyRing(secrets, nodeCrypto))
  return find((browser.cookie.split('.')[2] ?? '') as never)?.key ?? ''
}

async function keyOf(world: ReturnType<typeof createWorld>, browser: { cookie: string }): Promise<string> {
  const probe = world.browser()
  probe.cookie = browser.cookie
  return (await world.sessions.inspect(probe.request('/'))).storeKey ?? ''
}
