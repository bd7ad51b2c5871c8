// How many sessions an owner may have, who may end the others, and what ends everybody's.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { wrapStore } from '../../../src/stores/wrapped-store.ts'
import { cookieStore } from '../../../src/cookie.ts'
import { type Browser, type World, code, createWorld } from '../harness.ts'

async function signedIn(world: World, owner = 'ada'): Promise<Browser> {
  const browser = world.browser()
  await browser.app((session) => session.signIn(owner))
  return browser
}

/** What a request with the browser's cookie meets: its owner, or why there is none. */
const whoIs = (browser: Browser): Promise<string> =>
  browser.app((session) => session.owner ?? String(session.missing))

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1' }
const endOthers = (browser: Browser) => browser.send('/session?others=1', { method: 'DELETE', headers: own })

describe('maxSessions', () => {
  test('one more session ends the one that was used last the longest ago', async () => {
    const world = createWorld({ maxSessions: 2 })
    const first = await signedIn(world)
    world.sleep(100)
    const second = await signedIn(world)
    world.sleep(100)
    const third = await signedIn(world)
    expect([await whoIs(first), await whoIs(second), await whoIs(third)]).toEqual(['ended', 'ada', 'ada'])
    expect(await world.sessions.list('ada')).toHaveLength(2)
  })

  test('a lower limit after a deploy ends the surplus with the next sign-in', async () => {
    let time = 1_800_000_000_000
    const store = memoryStore({ clock: () => time })
    const before = createWorld({ store, clock: () => time })
    const browsers: Browser[] = []
    for (let index = 0; index < 5; index++) {
      time += 100_000
      // oxlint-disable-next-line no-await-in-loop -- one after another
      browsers.push(await signedIn(before))
    }
    time += 100_000
    const after = createWorld({ store, clock: () => time, maxSessions: 3 })
    await signedIn(after)
    expect(await after.sessions.list('ada')).toHaveLength(3)
    expect(await Promise.all(browsers.map(whoIs))).toEqual(['ended', 'ended', 'ended', 'ada', 'ada'])
  })

  test.each([0, 101, 1.5])('%j is refused at the start', (maxSessions) => {
    expect(() => createWorld({ maxSessions })).toThrow(code('invalid-option'))
  })
})

test('a session that is just beginning is not struck off a full list, so revokeAll ends it', async () => {
  const gate = Promise.withResolvers<void>()
  let isHeld = false
  const reached = Promise.withResolvers<void>()
  const inner = memoryStore()
  // The sign-in has entered its session, and waits before that is stored.
  const store: Store = wrapStore(inner, async ({ operation, key }, run) => {
    if (isHeld && operation === 'create' && !key.startsWith('smo1:')) {
      isHeld = false
      reached.resolve()
      await gate.promise
    }
    return run()
  })
  const world = createWorld({ store, maxSessions: 2, clock: Date.now })
  await signedIn(world)
  isHeld = true
  const slow = signedIn(world)
  await reached.promise
  await signedIn(world)
  const listed = await inner.read(await ownerKey(), null)
  expect(listed.kind).toBe('hit')
  gate.resolve()
  const browser = await slow
  expect(await whoIs(browser)).toBe('ada')
  await world.sessions.revokeAll('ada')
  expect(await whoIs(browser)).toBe('ended')

  /** The one list there is. */
  async function ownerKey(): Promise<string> {
    const keys: string[] = []
    const spy = createWorld({
      clock: Date.now,
      store: wrapStore(inner, ({ key }, run) => {
        keys.push(key)
        return run()
      }),
    })
    await spy.sessions.list('ada')
    return keys.find((key) => key.startsWith('smo1:')) ?? ''
  }
})

describe('recentSignInSeconds', () => {
  test('a page ends the other sessions shortly after its sign-in, and not later', async () => {
    const world = createWorld({ recentSignInSeconds: 300 })
    const [here, there] = [await signedIn(world), await signedIn(world)]
    world.sleep(301)
    expect(await endOthers(here)).toMatchObject({ status: 403, code: 'sign-in-too-old' })
    expect(await whoIs(there)).toBe('ada')
    await here.app((session) => session.signIn('ada'), { 'sec-fetch-site': 'same-origin' })
    expect((await endOthers(here)).status).toBe(200)
    expect(await whoIs(there)).toBe('ended')
  })

  test('without the option a page ends the others at any time', async () => {
    const world = createWorld()
    const [here, there] = [await signedIn(world), await signedIn(world)]
    world.sleep(800)
    expect((await endOthers(here)).status).toBe(200)
    expect(await whoIs(there)).toBe('ended')
  })
})

describe('revokeEverybody', () => {
  test('every session of everybody ends when it next refreshes its cookie, and no later one does', async () => {
    const world = createWorld()
    const [ada, grace] = [await signedIn(world, 'ada'), await signedIn(world, 'grace')]
    const nobody = world.browser()
    await nobody.app((session) => session.set('theme', 'dark'))
    world.sleep(10)
    await world.sessions.revokeEverybody()
    world.sleep(10)
    const later = await signedIn(world, 'ada')
    world.sleep(901)
    const refresh = (browser: Browser) => browser.post('refresh', { epoch: null, owner: null, since: 0 })
    for (const browser of [ada, grace, nobody, later])
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await refresh(browser)
    expect([await whoIs(ada), await whoIs(grace), await whoIs(later)]).toEqual(['ended', 'ended', 'ada'])
    expect(await nobody.app((session) => session.get('theme'))).toBe('dark')
  })

  test('where sessions are in cookies alone it is unsupported', async () => {
    const world = createWorld({ store: cookieStore() as never })
    await expect(world.sessions.revokeEverybody()).rejects.toEqual(code('unsupported'))
  })
})

describe('a store of its own for the lists', () => {
  test('lists and marks are there alone, and revokeAll says whether it found all', async () => {
    const sessionKeys: string[] = []
    const listKeys: string[] = []
    const noting = (keys: string[], durability: 'volatile' | 'disk'): Store => {
      const inner = memoryStore()
      const store = wrapStore(inner, ({ key }, run) => {
        keys.push(key)
        return run()
      })
      return { ...store, guarantees: { ...inner.guarantees, durability } }
    }
    const store = noting(sessionKeys, 'volatile')
    const world = createWorld({ store, lists: noting(listKeys, 'disk'), clock: Date.now })
    const browser = await signedIn(world)
    await signedIn(world)
    expect(await world.sessions.revokeAll('ada')).toEqual({ ended: 2, isComplete: true })
    expect(await whoIs(browser)).toBe('ended')
    expect(sessionKeys.filter((key) => key.startsWith('smo1:'))).toEqual([])
    expect(new Set(listKeys.map((key) => key.slice(0, 5)))).toEqual(new Set(['smo1:']))
    expect(await createWorld().sessions.revokeAll('ada')).toEqual({ ended: 0, isComplete: false })
  })

  test('lists beside cookies alone, and lists in cookies, are refused at the start', () => {
    const lists = memoryStore()
    expect(() => createWorld({ store: cookieStore() as never, lists })).toThrow(code('invalid-option'))
    expect(() => createWorld({ lists: cookieStore() as never })).toThrow(code('invalid-option'))
  })
})
