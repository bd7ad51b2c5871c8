// A cookie whose fresh time is over: what still takes it, and what renews it.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const navigation = { 'sec-fetch-mode': 'navigate' }

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

describe('a cookie that is not fresh any more', () => {
  test('a cookie that is not fresh is stale for requests, and good for a refresh', async () => {
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

  test('a stale cookie is renewed in place when a page is opened', async () => {
    const { world, browser } = await signedIn()
    world.sleep(2000)
    await browser.app((session) => expect(session.owner).toBe('alice'), navigation)
    expect((await browser.get()).message.freshIn).toBe(900)
  })

  test('a cookie is renewed with any answer once half of its time is over, and not before', async () => {
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

  test('a stale cookie of a session that is over is answered with the end, and not as stale', async () => {
    const { world, browser } = await signedIn()
    const copy = browser.copy()
    await browser.signOut()
    world.sleep(1000)
    expect((await copy.get()).code).toBe('ended')
  })
})

describe('what a page of ours asks for without a script that could refresh first', () => {
  const own = { 'sec-fetch-site': 'same-origin' }
  async function ask(method: string, headers: Record<string, string>) {
    const { world, browser } = await signedIn()
    world.sleep(1000)
    return world.sessions.load(browser.request('/asset', { method, headers }))
  }

  test.for([
    ['an image', 'GET', { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a style sheet', 'GET', { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'style' }],
    ['a lazy chunk', 'GET', { ...own, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'script' }],
    ['a video', 'HEAD', { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'video' }],
    ['a beacon', 'POST', { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' }],
    [
      'a handshake',
      'GET',
      { ...own, 'sec-fetch-mode': 'websocket', 'sec-fetch-dest': 'empty', upgrade: 'websocket' },
    ],
  ] as const)('%s is served with a stale cookie', async ([, method, headers]) => {
    expect((await ask(method, headers)).owner).toBe('alice')
  })

  test('the answer renews the cookie', async () => {
    const { world, browser } = await signedIn()
    world.sleep(1000)
    await browser.app(() => undefined, { ...own, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })
    expect((await browser.get()).message.freshIn).toBe(900)
  })

  test.for([
    [
      'an image of another site',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    ],
    [
      'an image of another host of the site',
      'GET',
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    ],
    [
      'a fetch, which can be sent again',
      'GET',
      { ...own, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
    ],
    ['a POST for a frame', 'POST', { ...own, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'iframe' }],
    ['a browser that says nothing', 'GET', { origin: 'http://localhost' }],
  ] as const)('%s is refused as stale', async ([, method, headers]) => {
    await expect(ask(method, headers)).rejects.toEqual(code('stale'))
  })
})

describe('a form of ours that was open for longer than its cookie is fresh', () => {
  const form = { 'sec-fetch-mode': 'navigate' }
  async function sendLate(site: string) {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    world.sleep(1000)
    const headers = { ...form, 'sec-fetch-site': site }
    return world.sessions.load(browser.request('/app', { method: 'POST', headers }))
  }

  test('a late form of our own page is taken, and renews the cookie', async () => {
    const session = await sendLate('same-origin')
    session.set('theme', 'dark')
    expect([session.owner, (await session.save()).changed]).toEqual(['ada', ['theme']])
  })

  test.each(['same-site', 'cross-site'])('a late form of a %s page is refused as stale', async (site) => {
    await expect(sendLate(site)).rejects.toEqual(code('stale'))
  })
})
