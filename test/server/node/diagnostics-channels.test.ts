// What the server publishes on node:diagnostics_channel: each event when it happens, and nothing secret.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { watchedNames } from '../../../src/server/core/watch.ts'
import { createWorld, ignoreError, watchStore } from '../harness.ts'

interface Told {
  readonly name: string
  readonly message: Readonly<Record<string, unknown>>
}

const told: Told[] = []
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

function watch(): void {
  told.length = 0
  for (const name of watchedNames) {
    const channel = `session-mirror:${name}`
    const note = (message: unknown): void => void told.push({ name, message: { ...(message as object) } })
    subscribe(channel, note)
    stops.push(() => unsubscribe(channel, note))
  }
}

const of = (name: string) => told.filter((event) => event.name === name).map(({ message }) => message)
const duration = expect.any(Number)
const nothing = { epoch: null, owner: null, since: 0 }

describe('events', () => {
  test('the channel load says how each request’s session was found', async () => {
    const world = createWorld({ app: 'shop' })
    const browser = world.browser()
    watch()
    await browser.app((session) => session.signIn('ada'))
    await browser.get()
    world.sleep(1000)
    await browser.get()
    const copy = browser.copy()
    await browser.signOut()
    await copy.get()
    expect(of('load').map(({ state }) => state)).toEqual(['none', 'live', 'stale', 'stale', 'ended'])
    expect(of('load')[0]).toEqual({ app: 'shop', state: 'none', milliseconds: duration })
  })

  test('the channel commit counts the requests that it stored and its tries, the channel conflict the tries that failed', async () => {
    const store = memoryStore()
    const [one, two] = [createWorld({ store, clock: Date.now }), createWorld({ store, clock: Date.now })]
    const browser = one.browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const sessions = await Promise.all([
      one.sessions.load(browser.request('/app')),
      one.sessions.load(browser.request('/app')),
      two.sessions.load(browser.request('/app')),
    ])
    watch()
    for (const session of sessions) session.increment('visits')
    await Promise.all(sessions.map((session) => session.save()))
    const commits = of('commit')
    expect(commits.reduce((sum, { writers }) => sum + Number(writers), 0)).toBe(3)
    expect(of('conflict').every(({ operation }) => operation === 'commit')).toBe(true)
    const tries = commits.reduce((sum, { attempts }) => sum + Number(attempts), 0)
    expect(tries).toBe(commits.length + of('conflict').length)
  })

  test('the channel refuse has the code, also of a cookie that this server did not sign', async () => {
    const browser = createWorld().browser()
    watch()
    await browser.send('/session/sync', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } })
    browser.cookie = 'session=v1.forged'
    await browser.get()
    await browser.send('/session/nothing')
    expect(of('refuse').map(({ code }) => code)).toEqual(['cross-site', 'unsigned-cookie', 'not-found'])
  })

  test('the channel rotate tells of a new id, the channel reuse of its old one with the owner', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    const old = browser.copy()
    world.sleep(4000)
    watch()
    await browser.post('refresh', nothing)
    world.sleep(60)
    await browser.get()
    expect(of('rotate')).toEqual([{ app: '', milliseconds: duration }])
    world.sleep(61)
    await old.post('refresh', nothing)
    expect(of('reuse')).toEqual([{ app: '', epoch: expect.any(String), owner: 'ada' }])
  })

  test('the channel revoke has the reason of every end', async () => {
    const world = createWorld()
    const [a, b, c] = [world.browser(), world.browser(), world.browser()]
    for (const browser of [a, b, c]) await browser.app((session) => session.signIn('ada'))
    watch()
    await a.signOut()
    await b.app((session) => session.destroy({ everywhere: true }))
    expect(of('revoke').map(({ reason }) => reason)).toEqual(['signed-out', 'everywhere', 'everywhere'])
  })

  test('the channel unavailable names what was asked of the store', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store, clock: Date.now, onError: ignoreError }).browser()
    await browser.app((session) => session.set('theme', 'dark'))
    watch()
    store.broken = true
    await browser.get()
    expect(of('unavailable')).toEqual([{ app: '', operation: 'read', milliseconds: duration }])
    expect(of('refuse')).toEqual([{ app: '', code: 'store-unavailable' }])
  })

  test('the channel lost says why', async () => {
    const [store, empty] = [memoryStore(), memoryStore()]
    const browser = createWorld({ store, clock: Date.now }).browser()
    await browser.app((session) => session.set('theme', 'dark'))
    watch()
    const restarted = createWorld({ store: empty, clock: Date.now })
    expect((await restarted.sessions.handle(browser.request('/session')))?.status).toBe(409)
    expect(of('lost')).toEqual([{ app: '', cause: 'missing' }])
  })
})

test('nothing secret is ever told', async () => {
  const world = createWorld()
  const browser = world.browser()
  watch()
  await browser.app((session) => {
    session.signIn('ada')
    session.set('secret', 'the hidden value')
  })
  const cookies = [browser.cookie]
  world.sleep(4000)
  await browser.post('refresh', nothing)
  cookies.push(browser.cookie)
  await browser.sync([{ kind: 'set', key: 'theme', value: 'the visible value' }], { epoch: 'wrong-epoch' })
  browser.cookie += 'x'
  await browser.get()
  const text = JSON.stringify(told)
  expect(told.length).toBeGreaterThan(6)
  for (const cookie of cookies) {
    for (const part of cookie.split(/[=.]/).filter((piece) => piece.length > 20))
      expect(text).not.toContain(part)
  }
  expect(text).not.toMatch(/hidden value|visible value|sm1:/)
})
