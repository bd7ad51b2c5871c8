// Two valid session cookies in one request, as a browser sends them after `cookie.partitioned` was switched on.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { cookieStore } from '../../../src/cookie.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type World, code, createBrowser, createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }

/** What a browser does with cookies of one name: a partitioned one is another cookie. */
class Jar {
  readonly cookies = new Map<string, string>()

  get header(): string {
    return [...this.cookies.values()].join('; ')
  }

  take(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = ''] = line.split(';')
      const variant = `${pair.split('=')[0]}${line.includes('; Partitioned') ? ' partitioned' : ''}`
      if (line.includes('Max-Age=0')) this.cookies.delete(variant)
      else this.cookies.set(variant, pair)
    }
  }
}

/** One browser of a live site, before and after the switch. */
class SwitchedSite {
  readonly jar: Jar = new Jar()
  readonly time: { milliseconds: number } = { milliseconds: 1_800_000_000_000 }
  readonly before: World
  readonly after: World

  constructor(store?: Store) {
    const clock = (): number => this.time.milliseconds
    const options = { clock, store: store ?? memoryStore({ clock }), idleTimeoutSeconds: 864_000 }
    this.before = createWorld({ ...options, cookie: { secure: true } })
    this.after = createWorld({ ...options, cookie: { partitioned: true } })
  }

  async ask<T>(world: World, run: (browser: ReturnType<typeof createBrowser>) => Promise<T>): Promise<T> {
    const browser = createBrowser(world.sessions, this.jar.header)
    const { send } = browser
    browser.send = async (...parameters) => {
      const reply = await send(...parameters)
      this.jar.take(reply.cookies)
      return reply
    }
    return run(browser)
  }

  /** A request of the app. */
  async app(
    world: World,
    run: (session: Awaited<ReturnType<World['sessions']['load']>>) => void,
    rest: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<void> {
    const browser = createBrowser(world.sessions, this.jar.header)
    const headers = { 'sec-fetch-site': 'same-origin', ...rest.headers }
    const session = await world.sessions.load(browser.request('/app', { ...rest, headers }))
    run(session)
    await session.save()
    this.jar.take(world.sessions.answer(session, new Response()).headers.getSetCookie())
  }

  sleep(seconds: number): void {
    this.time.milliseconds += seconds * 1000
  }
}

async function switched(): Promise<SwitchedSite> {
  const site = new SwitchedSite()
  await site.app(site.before, (session) => session.signIn('alice'), { method: 'POST' })
  site.sleep(4000)
  await site.ask(site.after, (browser) => browser.post('refresh', nothing))
  expect(site.jar.cookies.size).toBe(2)
  return site
}

/** The browser has two cookies of two sessions that both live. */
async function ambiguous(): Promise<SwitchedSite & { readonly others: string }> {
  const site = new SwitchedSite()
  await site.app(site.before, (session) => session.signIn('alice'), { method: 'POST' })
  const first = site.jar.header
  site.jar.cookies.clear()
  await site.app(site.after, (session) => session.signIn('mallory'), { method: 'POST' })
  site.jar.take([first])
  expect(site.jar.cookies.size).toBe(2)
  return Object.assign(site, { others: first })
}

describe('two cookies of which one leads to the other', () => {
  test('two cookies of which one leads to the other are one browser, for as long as both live, and no alarm goes off', async () => {
    const site = await switched()
    for (let hour = 0; hour < 200; hour++) {
      const reply = await site.ask(site.after, (browser) => browser.post('refresh', nothing))
      expect([reply.status, reply.message.owner, reply.code]).toEqual([200, 'alice', ''])
      await site.app(site.after, (session) => expect(session.owner).toBe('alice'), { method: 'POST' })
      site.sleep(hour < 100 ? 31 : 3000)
    }
    // The first cookie that was set again took the old one away.
    expect(site.jar.cookies.size).toBe(1)
  })

  test('an old one alone is a sign of theft as before', async () => {
    const site = await switched()
    const [old = ''] = site.jar.cookies.values()
    site.sleep(61)
    await site.ask(site.after, (browser) => browser.get())
    site.sleep(61)
    expect((await createBrowser(site.after.sessions, old).get()).code).toBe('reuse')
  })

  test('a sign-out ends the session, and takes both cookies away', async () => {
    const site = await switched()
    expect((await site.ask(site.after, (browser) => browser.signOut())).status).toBe(200)
    expect(site.jar.cookies.size).toBe(0)
  })

  test.each([
    ['the dead one first', true],
    ['the dead one last', false],
  ])('the live one of a dead and a live cookie counts: %s', async (_name, isFirst) => {
    const world = createWorld()
    const [dead, live] = [world.browser(), world.browser()]
    await dead.app((session) => session.signIn('alice'))
    await live.app((session) => session.signIn('alice'))
    const ended = dead.copy()
    await dead.signOut()
    live.cookie = isFirst ? `${ended.cookie}; ${live.cookie}` : `${live.cookie}; ${ended.cookie}`
    expect((await live.get()).message.owner).toBe('alice')
    expect(await live.app((session) => session.owner)).toBe('alice')
  })

  test('the younger one of two dead cookies tells why', async () => {
    const world = createWorld()
    const [lost, ended] = [world.browser(), world.browser()]
    for (const browser of [lost, ended]) {
      await browser.app((session) => session.signIn('alice'))
      world.sleep(5)
    }
    const both = `${lost.cookie}; ${ended.cookie}`
    for (const browser of [lost, ended]) await browser.signOut()
    const browser = createBrowser(world.sessions, both)
    expect(await browser.get()).toMatchObject({ status: 401, code: 'ended' })
    expect(await browser.app((session) => session.missing)).toBe('ended')
  })

  test('the younger copy counts where the cookie keeps the session', async () => {
    const site = new SwitchedSite(cookieStore() as unknown as Store)
    await site.app(site.before, (session) => session.set('theme', 'light'), { method: 'POST' })
    site.sleep(10)
    await site.app(site.after, (session) => session.set('theme', 'dark'), { method: 'POST' })
    expect(site.jar.cookies.size).toBe(2)
    for (const header of [site.jar.header, site.jar.header.split('; ').toReversed().join('; ')]) {
      const browser = createBrowser(site.after.sessions, header)
      expect((await browser.get()).message.keys['theme']?.[1]).toBe('dark')
    }
  })
})

describe('two cookies of two live sessions', () => {
  test('neither of two live sessions is used, and none is begun beside them', async () => {
    const site = await ambiguous()
    expect((await site.ask(site.after, (browser) => browser.get())).code).toBe('ambiguous-cookie')
    expect((await site.ask(site.after, (browser) => browser.post('refresh', nothing))).code).toBe(
      'ambiguous-cookie',
    )
    await expect(site.app(site.after, () => undefined)).rejects.toEqual(code('ambiguous-cookie'))
    const change = site.app(site.after, (session) => session.set('theme', 'dark'), { method: 'POST' })
    await expect(change).rejects.toEqual(code('ambiguous-cookie'))
    const headers = { 'sec-fetch-mode': 'navigate' }
    await site.app(
      site.after,
      (session) => expect([session.owner, session.missing]).toEqual([null, 'ambiguous-cookie']),
      { headers },
    )
    expect(site.jar.cookies.size).toBe(2)
  })

  test.each(['', '?everywhere=1'])(
    'DELETE /session%s ends both and takes both cookies away',
    async (query) => {
      const site = await ambiguous()
      const headers = {
        'sec-fetch-site': 'same-origin',
        'session-mirror': '1',
        'session-epoch': 'A'.repeat(16),
      }
      const before = [...site.jar.cookies.values()]
      const reply = await site.ask(site.after, (browser) =>
        browser.send(`/session${query}`, { method: 'DELETE', headers }),
      )
      expect([reply.status, site.jar.cookies.size]).toEqual([200, 0])
      for (const cookie of before)
        expect((await createBrowser(site.after.sessions, cookie).get()).code).toBe('ended')
    },
  )

  test.each(['POST', 'GET'])('a sign-in by %s works, and what was there is over', async (method) => {
    const site = await ambiguous()
    const before = [...site.jar.cookies.values()]
    const headers = { 'sec-fetch-mode': 'navigate' }
    await site.app(site.after, (session) => session.signIn('carol'), { method, headers })
    expect(site.jar.cookies.size).toBe(1)
    expect((await site.ask(site.after, (browser) => browser.get())).message.owner).toBe('carol')
    for (const cookie of before)
      expect((await createBrowser(site.after.sessions, cookie).get()).code).toBe('ended')
  })

  test('destroy works, and what is set after it begins a new session', async () => {
    const site = await ambiguous()
    await site.app(site.after, (session) => session.destroy(), { method: 'POST' })
    expect(site.jar.cookies.size).toBe(0)
    const again = await ambiguous()
    const run = (session: Awaited<ReturnType<World['sessions']['load']>>): void => {
      session.destroy()
      session.set('theme', 'dark')
    }
    await again.app(again.after, run, { method: 'POST' })
    expect((await again.ask(again.after, (browser) => browser.get())).message.keys['theme']?.[1]).toBe('dark')
    expect(again.jar.cookies.size).toBe(1)
  })
})
