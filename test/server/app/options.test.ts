// Options that decide about security: what they do, and that wrong ones are refused at the start.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { code, createBrowser, createWorld, secrets } from '../harness.ts'

describe('assurance', () => {
  test.each([
    ['aal1', 2_592_000, 2_592_000],
    ['aal2', 1800, 43_200],
    ['aal3', 900, 43_200],
  ] as const)('the level %s allows %i seconds idle, and %i in all', async (assurance, idle, absolute) => {
    const world = createWorld({ assurance })
    const [lazy, busy] = [world.browser(), world.browser()]
    await lazy.app((session) => session.signIn('ada'))
    await busy.app((session) => session.signIn('ada'))
    const step = Math.floor(idle / 2)
    let seconds = 0
    for (; seconds + step < absolute; seconds += step) {
      world.sleep(step)
      const { status } = await busy.post('refresh', { epoch: null, owner: null, since: 0 })
      expect(status).toBe(200)
      if (seconds === 0) expect((await lazy.get()).status).not.toBe(500)
      if (seconds === 2 * step && idle < absolute) expect((await lazy.get()).status).toBe(401)
    }
    world.sleep(absolute - seconds)
    expect((await busy.post('refresh', { epoch: null, owner: null, since: 0 })).code).toBe('expired')
  })

  test('the times of a level may be shortened, not lengthened', () => {
    expect(() => createWorld({ assurance: 'aal3', idleTimeoutSeconds: 600 })).not.toThrow()
    expect(() => createWorld({ assurance: 'aal3', idleTimeoutSeconds: 901 })).toThrow(code('invalid-option'))
    expect(() => createWorld({ assurance: 'aal2', absoluteTimeoutSeconds: 50_000 })).toThrow(
      code('invalid-option'),
    )
    expect(() => createWorld({ assurance: 'aal4' as never })).toThrow(code('invalid-option'))
    expect(() => createWorld({ assurance: 'toString' as never })).toThrow(code('invalid-option'))
  })

  test('a browser refreshes in time where the idle time is short', async () => {
    const world = createWorld({ assurance: 'aal3' })
    const browser = world.browser()
    expect((await browser.app((session) => session.signIn('ada')), await browser.get()).message.freshIn).toBe(
      300,
    )
  })
})

describe('app', () => {
  test('an app does not take what another one with the same secrets signed', async () => {
    const store = memoryStore()
    const [shop, blog] = ['shop', 'blog'].map((app) => createWorld({ app, store, clock: Date.now }))
    const browser = shop?.browser()
    await browser?.app((session) => session.signIn('ada'))
    const stranger = createBrowser(blog?.sessions ?? createWorld().sessions, browser?.cookie)
    expect(await stranger.app((session) => session.isNew)).toBe(true)
    expect(await blog?.sessions.list('ada')).toEqual([])
  })
})

describe('a persistent cookie', () => {
  const linesOf = async (world: ReturnType<typeof createWorld>, persistent?: boolean) => {
    const browser = world.browser()
    const session = await world.sessions.load(browser.request('/app'))
    session.signIn('ada', persistent === undefined ? {} : { persistent })
    await session.save()
    const [line = ''] = world.sessions.answer(session, new Response()).headers.getSetCookie()
    browser.cookie = line.split(';')[0] ?? ''
    world.sleep(600)
    const renewed = await browser.get()
    world.sleep(4000)
    const rotated = await browser.post('refresh', { epoch: null, owner: null, since: 0 })
    return { lines: [line, ...renewed.cookies, ...rotated.cookies], message: rotated.message }
  }

  test('the cookie outlives the browser by default', async () => {
    const { lines, message } = await linesOf(createWorld())
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line).toContain('Max-Age=172800')
    expect(message).not.toHaveProperty('persistent')
  })

  test.each([
    [createWorld(), false],
    [createWorld({ cookie: { persistent: false } }), undefined],
  ])(
    'a cookie that is not to persist ends with the browser, also after renewal and rotation',
    async (world, persistent) => {
      const { lines, message } = await linesOf(world, persistent)
      expect(lines).toHaveLength(3)
      for (const line of lines) expect(line).not.toMatch(/max-age|expires/i)
      expect(message.persistent).toBe(false)
    },
  )

  test('“remember me” is one sign-in’s, whatever the default', async () => {
    const { lines } = await linesOf(createWorld({ cookie: { persistent: false } }), true)
    for (const line of lines) expect(line).toContain('Max-Age=')
  })

  test('a cookie that ends with the browser is cleared like any other', async () => {
    const browser = createWorld({ cookie: { persistent: false } }).browser()
    await browser.app((session) => session.signIn('ada'))
    expect((await browser.signOut()).cookies[0]).toContain('Max-Age=0')
  })
})

describe('behind proxies', () => {
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }

  async function cookieName(
    trustProxy: number | undefined,
    headers: Record<string, string>,
  ): Promise<string> {
    const world = createWorld(trustProxy === undefined ? {} : { trustProxy })
    const browser = world.browser()
    const session = await world.sessions.load(browser.request('/app', { headers, host: '127.0.0.1:3000' }))
    session.set('theme', 'dark')
    await session.save()
    const [line = ''] = world.sessions.answer(session, new Response()).headers.getSetCookie()
    return `${line.split('=')[0]}${line.includes('; Secure') ? ' secure' : ''}`
  }

  test('a proxy’s headers are not believed unless the app says how many proxies there are', async () => {
    const unknown = { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.example' }
    expect(await cookieName(undefined, unknown)).toBe('session')
    expect(await cookieName(0, unknown)).toBe('session')
    expect(await cookieName(1, unknown)).toBe('__Host-Http-session secure')
    expect(await cookieName(1, forwarded)).toBe('__Host-Http-session secure')
  })

  test.each(['x-forwarded-proto', 'x-forwarded-for', 'x-forwarded-host', 'forwarded'])(
    'a sign of a proxy that nobody told of (%s) makes the cookie secure, also on a loopback host',
    async (name) => {
      expect(await cookieName(0, { [name]: 'https' })).toBe('__Host-Http-session secure')
    },
  )

  test('only what our own proxies wrote in a list counts', async () => {
    const lied = { 'x-forwarded-proto': 'https, http', 'x-forwarded-host': 'shop.example, localhost' }
    expect(await cookieName(1, lied)).toBe('session')
    expect(await cookieName(2, lied)).toBe('__Host-Http-session secure')
  })

  test('the guard compares Origin with the host that the browser asked', async () => {
    const world = createWorld({ trustProxy: 1 })
    const ask = (origin: string) =>
      world.sessions.guard(
        world.browser().request('/app', {
          method: 'POST',
          headers: { ...forwarded, origin },
          host: '127.0.0.1:3000',
        }),
      )
    expect(() => ask('https://shop.example')).not.toThrow()
    expect(() => ask('http://127.0.0.1:3000')).toThrow(code('cross-site'))
    expect(() => ask('https://evil.example')).toThrow(code('cross-site'))
  })
})

describe('refused at the start', () => {
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
  ])('%j is an option that createSessions refuses', (options) => {
    expect(() => createWorld(options)).toThrow(code('invalid-option') as Error)
  })

  test.each([
    ['a trustProxy that is no count', { trustProxy: true as never }],
    ['a negative trustProxy', { trustProxy: -1 }],
    ['an app with a line break', { app: 'a\nb' }],
    ['no heartbeat', { heartbeatSeconds: 0 }],
    ['an origin with a path', { allowedOrigins: ['https://app.example/x'] }],
    ['an origin in capitals, which no browser sends', { allowedOrigins: ['https://APP.example'] }],
    ['any origin', { allowedOrigins: ['*'] }],
    ['the origin null, which any sandboxed frame has', { allowedOrigins: ['null'] }],
  ])('createSessions refuses %s', (_, options) => {
    expect(() => createWorld(options)).toThrow(code('invalid-option'))
  })

  test.each([
    ['capacitor://localhost'],
    ['ionic://localhost'],
    ['tauri://localhost'],
    ['app://localhost:8080'],
    ['chrome-extension://abcdefghijklmnopabcdefghijklmnop'],
    ['moz-extension://0a1b2c3d-0000-4000-8000-000000000000'],
    ['safari-web-extension://0A1B2C3D-0000-4000-8000-000000000000'],
  ])('a page of %s may be allowed, and then reads and changes sessions', async (origin) => {
    const headers = {
      origin,
      'sec-fetch-site': 'cross-site',
      'content-type': 'application/json',
      'session-mirror': '1',
    }
    const body = JSON.stringify({ epoch: null, owner: null, since: 0 })
    const send = (allowedOrigins: readonly string[]) =>
      createWorld({ allowedOrigins }).browser().send('/session/sync', { method: 'POST', body, headers })
    const allowed = await send([origin])
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([200, origin])
    expect((await send([])).status).toBe(403)
  })

  test.each([
    ['capacitor://localhost/'],
    ['capacitor://'],
    ['CAPACITOR://localhost'],
    ['ionic:localhost'],
    ['htps://app.example'],
    ['file://'],
    ['file:///index.html'],
    ['javascript://x'],
  ])('createSessions refuses %s, which no browser sends as an origin', (origin) => {
    expect(() => createWorld({ allowedOrigins: [origin] })).toThrow(code('invalid-option'))
  })

  test.each([
    ['a short secret', ['too short']],
    ['a secret twice', [secrets[0] ?? '', secrets[0] ?? '']],
    ['a secret of few different characters', ['abcabcabcabcabcabcabcabcabcabcabcabcabc']],
    ['no secret', []],
  ])('createSessions refuses %s as weak', (_, wrong) => {
    expect(() => createWorld({ secrets: wrong })).toThrow(code('weak-secret'))
  })
})

describe('an owner', () => {
  test.each(['', 'x'.repeat(257), '\ud800', 'a\udfff', 7 as never, null as never])(
    'the owner %j is refused',
    async (owner) => {
      const session = createWorld().browser()
      await expect(session.app((one) => one.signIn(owner))).rejects.toEqual(code('invalid-option'))
    },
  )

  test.each([
    'x'.repeat(256),
    '\u{1f600}',
    'a b',
    '__proto__',
    'constructor',
    "'; drop table",
    '\r\nflush_all',
  ])('the owner %j is taken, and has a list of its own', async (owner) => {
    const { sessions, browser } = createWorld()
    await browser().app((session) => session.signIn(owner))
    expect(await sessions.list(owner)).toHaveLength(1)
    expect(await sessions.list(`${owner}x`)).toEqual([])
  })
})
