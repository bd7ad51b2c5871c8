// What happens when something else happens in between: found by tests that race, kept as tests that do not.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { encodeCookie, verifyCookie } from '../../../src/server/codec/cookie.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { createKeyRing } from '../../../src/server/codec/key-ring.ts'
import { code, createBrowser, createWorld, secrets } from '../harness.ts'

/** A session whose id was just rotated, on two servers, and something that happens in the middle of its next use. */
async function rotated() {
  const time = { ms: 1_800_000_000_000 }
  const inner = memoryStore({ clock: () => time.ms })
  const between: { run?: (() => Promise<unknown>) | undefined } = {}
  const store = {
    ...inner,
    async replace(...parameters: Parameters<typeof inner.replace>) {
      const { run } = between
      between.run = undefined
      await run?.()
      return inner.replace(...parameters)
    },
  }
  const options = { clock: () => time.ms, rotateSeconds: 400 }
  const [one, two] = [createWorld({ ...options, store }), createWorld({ ...options, store: inner })]
  const browser = one.browser()
  await browser.app((session) => session.signIn('alice'))
  time.ms += 500_000
  await browser.get()
  // The next use is the first that shows that the browser has kept the new id.
  time.ms += 60_000
  const elsewhere = createBrowser(two.sessions, browser.cookie)
  between.run = () => elsewhere.signOut()
  return { one, browser }
}

describe('a sign-out at the first use of a rotated id', () => {
  test('a sign-out at the first use of a rotated id is seen by the page that is opened then', async () => {
    const { one, browser } = await rotated()
    const request = browser.request('/page', { headers: { 'sec-fetch-mode': 'navigate' } })
    expect((await one.sessions.load(request)).missing).toBe('ended')
  })

  test('a second sign-out at that moment is confirmed, and takes no cookie away', async () => {
    const { browser } = await rotated()
    // The other one takes the cookie away; this answer could come after that of a new sign-in.
    const { status, cookies } = await browser.signOut()
    expect([status, cookies.length]).toEqual([200, 0])
  })
})

describe('what a request read a moment ago', () => {
  test('a change that sets back what another request has set since is stored', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('secret', 'user'))
    const saved = await browser.app(async (session) => {
      await browser.copy().app((other) => other.set('secret', 'admin'))
      session.set('secret', 'user')
      return session.save()
    })
    expect(saved).toMatchObject({ revision: 3, changed: ['secret'] })
    expect(await browser.app((session) => session.get('secret'))).toBe('user')
  })

  test('a change of nothing is refused when the session has ended meanwhile', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const copy = browser.copy()
    const saving = copy.app(async (session) => {
      await browser.signOut()
      session.set('theme', 'dark')
      await session.save()
    })
    await expect(saving).rejects.toEqual(code('ended'))
  })
})

describe('a late answer', () => {
  test('a late answer does not set the cookie of a session that was replaced while it ran', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'dark'))
    world.sleep(600)
    const late = await world.sessions.load(browser.request('/app'))
    await browser.app((session) => session.signIn('ada'))
    await late.save()
    expect(world.sessions.answer(late, new Response()).headers.getSetCookie()).toEqual([])
  })

  test('a late answer that set an old id once more over the new one ends nothing; a copy is found out as before', async () => {
    const world = createWorld({ rotateSeconds: 500 })
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    const thief = browser.copy()
    world.sleep(600)
    const late = browser.copy()
    await browser.post('refresh', { epoch: null, owner: null, since: 0 })
    await browser.get()
    // As the race leaves it: the old id, in a cookie that is younger than the move.
    const ring = createKeyRing(secrets, nodeCrypto)
    const { sid, floor } = verifyCookie(late.cookie.split('=')[1] ?? '', ring, nodeCrypto) ?? {}
    if (sid === undefined || floor === undefined) throw new Error('It is a cookie.')
    const text = encodeCookie({ sid, floor, issued: world.now(), expires: world.now() + 900 }, ring)
    late.cookie = `session=${text}`
    // One browser has one cookie: now it is this one.
    browser.cookie = `session=${text}`
    for (let minutes = 0; minutes < 20; minutes++) {
      world.sleep(60)
      expect(await browser.app((session) => session.owner)).toBe('ada')
      await browser.post('refresh', { epoch: null, owner: null, since: 0 })
    }
    expect(browser.cookie).not.toContain(sid)
    expect((await thief.post('refresh', { epoch: null, owner: null, since: 0 })).code).toBe('reuse')
    expect((await browser.get()).code).toBe('reuse')
  })
})

test('a thief who rotates while the alarm goes off is ended as well', async () => {
  let moved = 0
  const inner = memoryStore({ clock: () => 1_800_000_000_000 + moved })
  const between: { run?: (() => Promise<unknown>) | undefined } = {}
  const store = {
    ...inner,
    async replace(...parameters: Parameters<typeof inner.replace>) {
      const { run } = between
      between.run = undefined
      await run?.()
      return inner.replace(...parameters)
    },
  }
  const clock = (): number => 1_800_000_000_000 + moved
  const options = { clock, rotateSeconds: 100 }
  const [one, two] = [createWorld({ ...options, store }), createWorld({ ...options, store: inner })]
  const nothing = { epoch: null, owner: null, since: 0 }
  const victim = two.browser()
  await victim.app((session) => session.signIn('ada'))
  const old = createBrowser(one.sessions, victim.cookie)
  moved += 200_000
  await victim.post('refresh', nothing)
  moved += 60_000
  await victim.get()
  moved += 200_000
  between.run = () => victim.post('refresh', nothing)
  expect((await old.post('refresh', nothing)).code).toBe('reuse')
  expect((await victim.get()).code).toBe('reuse')
})
