// The list of an owner's sessions: what it shows, and that ending them leaves none out.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import {
  type Browser,
  type World,
  code,
  createBrowser,
  createWorld,
  ignoreError,
  watchStore,
} from '../harness.ts'

async function signedIn(world: World, owner = 'ada', label?: string): Promise<Browser> {
  const browser = world.browser()
  await browser.app((session) => session.signIn(owner, label === undefined ? {} : { label }))
  return browser
}

/** What a request with the browser's cookie meets: its owner, or why there is none. */
function whoIs(browser: Browser): Promise<string> {
  return browser.app((session) => session.owner ?? String(session.missing))
}

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1' }
const signOut = (browser: Browser, query: string) =>
  browser.send(`/session?${query}`, { method: 'DELETE', headers: own })

describe('the list', () => {
  test('the list shows every live session of the owner with its times and label, the last used one first', async () => {
    const world = createWorld()
    const laptop = await signedIn(world, 'ada', 'Firefox on Linux')
    world.sleep(1000)
    await signedIn(world, 'ada')
    await signedIn(world, 'grace')
    world.sleep(500)
    await laptop.post('refresh', { epoch: null, owner: null, since: 0 })
    const list = await world.sessions.list('ada')
    const start = world.now() - 1500
    expect(list.map(({ label }) => label)).toEqual(['Firefox on Linux', null])
    expect(list[0]).toMatchObject({
      id: await laptop.app((session) => session.epoch),
      created: new Date(start * 1000),
      signedIn: new Date(start * 1000),
      lastUsed: new Date(world.now() * 1000),
    })
  })

  test('the list holds nothing of which a cookie could be made', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    const text = JSON.stringify(await world.sessions.list('ada'))
    const [, , sid = '?'] = browser.cookie.split('.')
    expect(text).not.toContain(sid)
  })

  test('the list leaves out sessions that were signed out, replaced, expired or evicted', async () => {
    const world = createWorld()
    const [gone, again, late] = [await signedIn(world), await signedIn(world), await signedIn(world)]
    await gone.signOut()
    await again.app((session) => session.signIn('ada'))
    world.sleep(80_000)
    await again.post('refresh', { epoch: null, owner: null, since: 0 })
    world.sleep(80_000)
    expect(await world.sessions.list('ada')).toHaveLength(1)
    expect((await late.get()).code).toBe('expired')
  })

  test('the list of an unknown owner is empty', async () => {
    expect(await createWorld().sessions.list('nobody')).toEqual([])
  })

  test('reading the list does not lengthen any session', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    world.sleep(50_000)
    await world.sessions.list('ada')
    world.sleep(50_000)
    expect(await whoIs(browser)).toBe('expired')
  })

  test('the list follows a session through rotations, also after the pointers to it are gone', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    for (let hour = 0; hour < 80; hour++) {
      world.sleep(3700)
      await browser.post('refresh', { epoch: null, owner: null, since: 0 })
    }
    const [session] = await world.sessions.list('ada')
    expect(await world.sessions.revoke('ada', session?.id ?? '')).toBe(true)
    expect(await whoIs(browser)).toBe('ended')
  })

  test('the list keeps all of fifty sign-ins at once, at two servers', async () => {
    const store = memoryStore()
    const worlds = [createWorld({ store, clock: Date.now }), createWorld({ store, clock: Date.now })]
    const [first] = worlds
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => signedIn(worlds[index % 2] ?? createWorld(), 'ada')),
    )
    expect(await first?.sessions.list('ada')).toHaveLength(50)
  })

  test('the list takes a hundred sessions; one more ends the one that was longest unused', async () => {
    const world = createWorld()
    const oldest = await signedIn(world)
    world.sleep(10)
    for (let count = 1; count < 100; count++) await signedIn(world)
    expect(await whoIs(oldest)).toBe('ada')
    await signedIn(world)
    expect(await whoIs(oldest)).toBe('ended')
    expect(await world.sessions.list('ada')).toHaveLength(100)
  })
})

describe('ending', () => {
  test('revoke ends the one session that it names', async () => {
    const world = createWorld()
    const [kept, lost] = [await signedIn(world), await signedIn(world)]
    const id = (await lost.app((session) => session.epoch)) ?? ''
    expect(await world.sessions.revoke('ada', id)).toBe(true)
    expect([await whoIs(kept), await whoIs(lost)]).toEqual(['ada', 'ended'])
    expect(await world.sessions.revoke('ada', id)).toBe(false)
  })

  test('revoke does not end a session of somebody else', async () => {
    const world = createWorld()
    const grace = await signedIn(world, 'grace')
    const id = (await grace.app((session) => session.epoch)) ?? ''
    expect(await world.sessions.revoke('ada', id)).toBe(false)
    expect(await whoIs(grace)).toBe('grace')
  })

  test('?everywhere=1 ends all five sessions of an owner with one request, and no other owner’s', async () => {
    const world = createWorld()
    const jars = await Promise.all(Array.from({ length: 5 }, () => signedIn(world)))
    const grace = await signedIn(world, 'grace')
    const copies = jars.map((jar) => jar.copy())
    const answer = await signOut(jars[0] ?? grace, 'everywhere=1')
    expect(answer.status).toBe(200)
    expect(answer.cookies[0]).toContain('Max-Age=0')
    expect(await Promise.all(copies.map(whoIs))).toEqual(Array.from({ length: 5 }, () => 'ended'))
    expect(await whoIs(grace)).toBe('grace')
  })

  test('?everywhere=1 that is sent again because its answer was lost is confirmed again', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    const again = browser.copy()
    await signOut(browser, 'everywhere=1')
    expect((await signOut(again, 'everywhere=1')).status).toBe(200)
  })

  test('?everywhere=1 is not confirmed when it is not known whose sessions they are', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    const again = browser.copy()
    await browser.signOut()
    expect((await signOut(again, 'everywhere=1')).code).toBe('ended')
  })

  test('?others=1 ends the others, and keeps this session and its cookie', async () => {
    const world = createWorld()
    const [here, there] = [await signedIn(world), await signedIn(world)]
    const answer = await signOut(here, 'others=1')
    expect(answer.message.owner).toBe('ada')
    expect(answer.cookies).toEqual([])
    world.sleep(600)
    expect([await whoIs(here), await whoIs(there)]).toEqual(['ada', 'ended'])
  })

  test.each(['everywhere=true', 'everywhere', 'others=1&everywhere=1', 'all=1'])(
    'a sign-out with ?%s is malformed, and ends nothing',
    async (query) => {
      const world = createWorld()
      const browser = await signedIn(world)
      expect((await signOut(browser, query)).code).toBe('malformed')
      expect(await whoIs(browser)).toBe('ada')
    },
  )

  test('destroy({ everywhere: true }) and revokeAll end sessions from the server’s code', async () => {
    const world = createWorld()
    const [a, b, c] = [await signedIn(world), await signedIn(world), await signedIn(world)]
    const id = (await a.app((session) => session.epoch)) ?? ''
    expect(await world.sessions.revokeAll('ada', { except: id })).toEqual({ ended: 2, isComplete: false })
    expect([await whoIs(a), await whoIs(b), await whoIs(c)]).toEqual(['ada', 'ended', 'ended'])
    const d = await signedIn(world)
    await a.app((session) => session.destroy({ everywhere: true }))
    expect(await whoIs(d)).toBe('ended')
  })

  test('a request that was saving meanwhile cannot bring its session back', async () => {
    const world = createWorld()
    const browser = await signedIn(world)
    const session = await world.sessions.load(browser.request('/app'))
    session.set('theme', 'dark')
    await world.sessions.revokeAll('ada')
    await expect(session.save()).rejects.toEqual(code('ended'))
    expect(await whoIs(browser)).toBe('ended')
  })

  test('a sign-in that was under way when everything ended does not come through', async () => {
    const inner = memoryStore()
    const world = createWorld({
      clock: Date.now,
      store: {
        ...inner,
        // The list has the new session now, the session itself is not there yet.
        async create(key, value, ttlSeconds) {
          if (key.startsWith('sm1:'))
            await createWorld({ store: inner, clock: Date.now }).sessions.revokeAll('ada')
          return inner.create(key, value, ttlSeconds)
        },
      },
    })
    await expect(signedIn(world)).rejects.toEqual(code('ended'))
    expect(await world.sessions.list('ada')).toEqual([])
  })
})

describe('a store that forgets or fails', () => {
  const lists = (store: Store, keys: Set<string>): Store => ({
    ...store,
    create: (key, ...rest) => (keys.add(key), store.create(key, ...rest)),
  })

  async function evictLists(store: Store, keys: Iterable<string>): Promise<void> {
    for (const key of keys) {
      if (!key.startsWith('smo1:')) continue
      const nothing = await store.read(key, 1)
      if (nothing.kind === 'hit')
        await store.replace(key, new Uint8Array(1), { token: nothing.token, ttlSeconds: 1 })
    }
  }

  test('a session enters itself again with its next cookie when the list is gone', async () => {
    const keys = new Set<string>()
    let ms = 1_800_000_000_000
    const clock = (): number => ms
    const store = lists(memoryStore({ clock }), keys)
    const world = createWorld({ store, clock })
    const browser = await signedIn(world)
    await evictLists(store, keys)
    ms += 2000
    expect(await world.sessions.list('ada')).toEqual([])
    ms += 600_000
    expect(await whoIs(browser)).toBe('ada')
    expect(await world.sessions.list('ada')).toHaveLength(1)
  })

  test('a session that everywhere could not find ends when it wants its next cookie', async () => {
    const keys = new Set<string>()
    let ms = 1_800_000_000_000
    const clock = (): number => ms
    const store = lists(memoryStore({ clock }), keys)
    const world = createWorld({ store, clock })
    const [missed, other] = [await signedIn(world), await signedIn(world, 'grace')]
    await evictLists(store, keys)
    ms += 2000
    expect(await world.sessions.revokeAll('ada')).toMatchObject({ ended: 0 })
    const later = await signedIn(world)
    ms += 600_000
    expect([await whoIs(missed), await whoIs(later), await whoIs(other)]).toEqual(['ended', 'ada', 'grace'])
  })

  test('a sign-in that cannot be listed does not happen', async () => {
    const store = watchStore(memoryStore())
    const world = createWorld({ store, onError: ignoreError })
    store.broken = true
    await expect(signedIn(world)).rejects.toEqual(code('store-unavailable'))
    store.broken = false
    expect(await world.sessions.list('ada')).toEqual([])
  })

  test('a list that somebody tampered with counts as none', async () => {
    const keys = new Set<string>()
    const store = lists(memoryStore(), keys)
    const world = createWorld({ store, clock: Date.now })
    await signedIn(world)
    const [key = ''] = [...keys].filter((name) => name.startsWith('smo1:'))
    const read = await store.read(key, null)
    if (read.kind !== 'hit') throw new Error('There is no list.')
    const text = new TextDecoder().decode(read.value).replace('"endedBefore":0', '"endedBefore":9')
    await store.end(key, new TextEncoder().encode(text), 1000)
    expect(await world.sessions.list('ada')).toEqual([])
    await signedIn(world)
    expect(await world.sessions.list('ada')).toHaveLength(1)
  })
})

test('sessions under an old secret and a new one are one list', async () => {
  const clock = (): number => 1_800_000_000_000
  const store = memoryStore({ clock })
  const [old, young] = [
    'the old secret of the tests, long enough',
    'the new secret of the tests, long enough',
  ]
  const before = createWorld({ store, clock, secrets: [old ?? ''] })
  const first = await signedIn(before)
  const after = createWorld({ store, clock, secrets: [young ?? '', old ?? ''] })
  await signedIn(after)
  expect(await after.sessions.list('ada')).toHaveLength(2)
  expect(await after.sessions.revokeAll('ada')).toMatchObject({ ended: 2 })
  expect(await whoIs(createBrowser(after.sessions, first.cookie))).toBe('ended')
})
