// What happens when something else happens in between: found by tests that race, kept as tests that do not.
import { describe, expect, test } from 'vitest'
import express from 'express'
import { memoryStore } from '../../../src/memory.ts'
import { sessionMiddleware } from '../../../src/node.ts'
import { encodeCookie, verifyCookie } from '../../../src/server/codec/cookie.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { createKeyRing } from '../../../src/server/codec/key-ring.ts'
import { defineSession, writable } from '../../../src/schema.ts'
import { createSessions } from '../../../src/server.ts'
import { code, createBrowser, createWorld, secrets } from '../harness.ts'
import { client, listen, start } from '../http.ts'

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
  const elsewhere = createBrowser(two.sessions, browser.cookie)
  between.run = () => elsewhere.signOut()
  return { one, browser }
}

describe('a sign-out at the first use of a rotated id', () => {
  test('is what a page sees that is opened then', async () => {
    const { one, browser } = await rotated()
    const request = browser.request('/page', { headers: { 'sec-fetch-mode': 'navigate' } })
    expect((await one.sessions.load(request)).missing).toBe('ended')
  })

  test('is confirmed to whoever signs out as well', async () => {
    const { browser } = await rotated()
    // The other one takes the cookie away; this answer could come after that of a new sign-in.
    const { status, cookies } = await browser.signOut()
    expect([status, cookies.length]).toEqual([200, 0])
  })
})

describe('a page that believes in a session which is gone', () => {
  test('reads as nobody, changes nothing, and can sign in', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('alice'))
    const epoch = (await browser.get()).message.epoch ?? ''
    const [late, cleared] = [browser.copy(), world.browser()]
    await browser.signOut()
    for (const page of [late, cleared]) {
      const believing = { 'session-epoch': epoch }
      expect(await page.app((session) => session.owner, believing)).toBe(null)
      const write = page.app((session) => session.set('theme', 'dark'), believing)
      await expect(write).rejects.toEqual(code('epoch-mismatch'))
      await page.app((session) => session.signIn('alice'), believing)
      expect(await page.app((session) => session.owner)).toBe('alice')
    }
  })
})

describe('an answer that everybody may have', () => {
  test('is cut off when the session is read after it has begun', async () => {
    const app = await start((request, response) => {
      if (request.url === '/in') request.session.signIn('alice')
      else {
        response.setHeader('cache-control', 'public, max-age=60')
        response.write('Hello ')
      }
      response.end(request.url === '/late' ? request.session.owner : 'all')
    })
    await app.get('/in')
    expect(await (await app.get('/early')).text()).toBe('Hello all')
    await expect(app.get('/late').then((response) => response.text())).rejects.toThrow()
  })

  test('is nobody else’s when a CDN has a header of its own', async () => {
    const app = await start((request, response) => {
      response.setHeader('cdn-cache-control', 'max-age=600')
      response.setHeader('surrogate-control', 'max-age=600')
      response.end(request.url === '/me' ? String(request.session.owner) : 'all')
    })
    const [mine, all] = [await app.get('/me'), await app.get('/all')]
    const read = (response: Response) =>
      ['cache-control', 'cdn-cache-control', 'surrogate-control'].map((name) => response.headers.get(name))
    expect(read(mine)).toEqual(['no-store', 'no-store', 'no-store'])
    expect(read(all)).toEqual([null, 'max-age=600', 'max-age=600'])
  })
})

describe('one request', () => {
  test('has one session, whoever asks for it', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const app = express()
    app.use(sessionMiddleware(sessions))
    app.get('/', (request, response) => {
      void sessions.load(request).then((mine) => {
        mine.set('theme', 'dark')
        response.json((request as unknown as { session: typeof mine }).session.get('theme'))
      })
    })
    const { get } = client(await listen(app))
    const answer = await get()
    expect([await answer.json(), answer.headers.getSetCookie().length]).toEqual(['dark', 1])
  })

  test('passes the middleware once, wherever that is mounted', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const middleware = sessionMiddleware(sessions)
    const app = express()
    app.use(middleware)
    app.use('/inner', middleware, (request, response) => {
      ;(request as unknown as { session: { set(key: string, value: string): void } }).session.set(
        'theme',
        'dark',
      )
      response.end()
    })
    const answer = await client(await listen(app)).get('/inner')
    expect(answer.headers.getSetCookie()).toHaveLength(1)
  })
})

test('what validators say does not fill the record', async () => {
  const validate = (value: unknown) =>
    value === 'ok' ? { value: 'ok' } : { issues: [{ message: `Not ${String(value)}` }] }
  const schema = defineSession({
    word: writable<string>({ '~standard': { version: 1, vendor: 'test', validate } }),
  })
  const sessions = createSessions({ schema, secrets, store: memoryStore() })
  const browser = createBrowser(sessions as never)
  await browser.sync([{ kind: 'set', key: 'word', value: 'ok' }])
  const { epoch } = (await browser.get()).message
  const bad = Array.from(
    { length: 200 },
    () => ({ kind: 'set', key: 'word', value: '\u0001'.repeat(200) }) as const,
  )
  for (let index = 0; index < 7; index++) {
    const name = `a-client-called-${index}`
    const { status, message } = await browser.sync(bad, { epoch, client: name, number: 1 })
    expect([status, message.outcomes?.length, message.outcomes?.[0]?.code]).toEqual([200, 200, 'invalid'])
  }
  const { record } = await sessions.inspect(browser.request('/'))
  expect(record?.bytes).toBeLessThan(150_000)
})

test('bytes in the store that merely decode to what was signed are not it', async () => {
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

describe('what a request read a moment ago', () => {
  test('is no reason to drop a change that sets back what another one has set since', async () => {
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

  test('is no reason to call a change of nothing saved when the session has ended', async () => {
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
  test('does not set the cookie of a session that was replaced while it ran, however quickly', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'dark'))
    world.sleep(600)
    const late = await world.sessions.load(browser.request('/app'))
    await browser.app((session) => session.signIn('ada'))
    await late.save()
    expect(world.sessions.answer(late, new Response()).headers.getSetCookie()).toEqual([])
  })

  test('that set an old id once more over the new one ends nothing', async () => {
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
    world.sleep(100)
    expect(await late.app((session) => session.owner)).toBe('ada')
    expect(await browser.app((session) => session.owner)).toBe('ada')
    expect((await thief.post('refresh', { epoch: null, owner: null, since: 0 })).code).toBe('reuse')
    expect((await browser.get()).code).toBe('reuse')
  })
})

test('conflicts tell a value once for each key, not once for each mutation', async () => {
  const browser = createWorld().browser()
  const value = 'x'.repeat(100_000)
  await browser.sync([{ kind: 'set', key: 'draft', value }])
  const { epoch } = (await browser.get()).message
  const base = { epoch, revision: 0 }
  const stale = Array.from({ length: 200 }, () => ({ kind: 'set', key: 'draft', value: 'y', base }) as const)
  const { message, body } = await browser.sync(stale, { epoch })
  expect(message.outcomes?.filter((outcome) => outcome.code === 'conflict')).toHaveLength(200)
  expect(message.outcomes?.[0]).toMatchObject({ value })
  expect(body.length).toBeLessThan(400_000)
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
  await victim.get()
  moved += 200_000
  between.run = () => victim.post('refresh', nothing)
  expect((await old.post('refresh', nothing)).code).toBe('reuse')
  expect((await victim.get()).code).toBe('reuse')
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

  test('is taken, and renews the cookie', async () => {
    const session = await sendLate('same-origin')
    session.set('theme', 'dark')
    expect([session.owner, (await session.save()).changed]).toEqual(['ada', ['theme']])
  })

  test.each(['same-site', 'cross-site'])('of a %s page is not', async (site) => {
    await expect(sendLate(site)).rejects.toEqual(code('stale'))
  })
})
