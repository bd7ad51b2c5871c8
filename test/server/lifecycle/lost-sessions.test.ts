// A session that the store has lost, or gives back as something that this server did not write.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { code, createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const navigation = { 'sec-fetch-mode': 'navigate' }

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

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

  test('a lost session is reported, not replaced', async () => {
    const { browser } = await lost()
    expect(await browser.get()).toMatchObject({ status: 409, code: 'lost', cookies: [] })
    expect(await browser.post('refresh', nothing)).toMatchObject({ code: 'lost', cookies: [] })
    await expect(browser.app(() => undefined)).rejects.toEqual(code('lost'))
    await browser.app((session) => expect(session.missing).toBe('lost'), navigation)
  })

  test('a lost session is an anonymous one where the app wants that', async () => {
    const { browser } = await lost({ onLost: 'anonymous' })
    await browser.app((session) => {
      expect([session.owner, session.missing]).toEqual([null, 'lost'])
      session.set('theme', 'anew')
    })
    expect((await browser.get()).message).toMatchObject({ owner: null, keys: { theme: [1, 'anew'] } })
  })

  test('a lost session is ended once the browser has taken note', async () => {
    const { browser } = await lost()
    const cookie = browser.cookie
    expect(await browser.signOut({ 'session-epoch': 'acknowledge' })).toMatchObject({ status: 200 })
    browser.cookie = cookie
    expect((await browser.get()).code).toBe('ended')
    await browser.app((session) => expect(session.missing).toBe('ended'))
  })

  test('a browser may start anew with the dead cookie of a lost session', async () => {
    const { browser } = await lost()
    expect(
      (await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }])).message.keys['visits'],
    ).toEqual([1, 1])
    expect((await browser.get()).status).toBe(200)
  })

  test('a record that was swapped, cut, flipped or made by somebody else counts as lost', async () => {
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

  test('a record that is older than the cookie’s floor counts as lost', async () => {
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

test('bytes that merely decode to what was signed count as lost', async () => {
  const store = memoryStore({ clock: () => 1_800_000_000_000 })
  const world = createWorld({ store })
  const browser = world.browser()
  await browser.app((session) => session.set('theme', 'x\ufffdy'))
  const key = (await world.sessions.inspect(browser.request('/'))).storeKey ?? ''
  const hit = await store.read(key, null)
  if (hit.kind !== 'hit') throw new Error('It is not there.')
  const bytes = Buffer.from(hit.value)
  const at = bytes.indexOf('\ufffd')
  const other = [
    Buffer.concat([Buffer.from('\ufeff'), bytes]),
    Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at + 3)]),
  ]
  for (const value of other) {
    await store.end(key, value, 60)
    expect((await browser.get()).code).toBe('lost')
  }
  await store.end(key, hit.value, 60)
  expect((await browser.get()).status).toBe(200)
})

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
