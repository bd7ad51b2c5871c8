// Where the server believes to be, by Host, Origin and the proxies before it: plain http in a local network, ports that go
// without saying, a proxy that nobody told of, and cookie names of hosts that let no other through.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type Send, type WorldOptions, code, createWorld, watchStore } from '../harness.ts'

const own = { 'session-mirror': '1', 'content-type': 'application/json' }
const batch = JSON.stringify({
  client: 'client-of-test',
  number: 1,
  mutations: [{ id: 'mutation-of-test', kind: 'set', key: 'theme', value: 'dark' }],
})
const body = JSON.stringify({ epoch: null, owner: null, since: 0, batch })

/** A first write, as a page sends it. */
function write(options: WorldOptions, { headers, ...send }: Send) {
  const world = createWorld(options)
  return world
    .browser()
    .send('/session/sync', { method: 'POST', body, ...send, headers: { ...own, ...headers } })
}

describe('plain http in a local network', () => {
  const page = { host: '192.168.1.20:3000', headers: { origin: 'http://192.168.1.20:3000' } }

  test('a host that the app names works as a loopback host does', async () => {
    for (const host of ['192.168.1.20:3000', 'BOX.local', '[fd00::1]:8080']) {
      const options = { cookie: { insecureHosts: [host] } }
      const origin = `http://${host.toLowerCase()}`
      // oxlint-disable-next-line no-await-in-loop -- one after another
      const { status, cookies } = await write(options, { host, headers: { origin } })
      expect([status, cookies]).toEqual([200, [expect.stringMatching(/^session=v1/)]])
      expect(cookies[0]).not.toContain('Secure')
    }
  })

  test('another host than those that are named is refused, and the sentence says what to set', async () => {
    const store = watchStore(memoryStore())
    for (const insecureHosts of [[], ['192.168.1.20'], ['192.168.1.20:3001']]) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      const reply = await write({ store, cookie: { insecureHosts } }, page)
      expect([reply.status, reply.code, reply.cookies]).toEqual([403, 'cross-site', []])
      expect(reply.body).toContain("insecureHosts: ['192.168.1.20:3000']")
    }
    expect(store.calls).toEqual([])
  })

  test('a page of another host is refused where plain http is allowed, too', async () => {
    const options = { cookie: { insecureHosts: [page.host] } }
    expect((await write(options, { ...page, headers: { origin: 'http://192.168.1.21:3000' } })).status).toBe(
      403,
    )
  })

  test.each(['http://box.local', 'box.local/', 'box local', '', '*'])(
    'what is no host is refused at the start: %j',
    (host) => {
      expect(() => createWorld({ cookie: { insecureHosts: [host] } })).toThrow(code('invalid-option'))
    },
  )

  test('named hosts beside a fixed cookie.secure are refused at the start', () => {
    for (const secure of [true, false])
      expect(() => createWorld({ cookie: { secure, insecureHosts: [page.host] } })).toThrow(
        code('invalid-option'),
      )
  })
})

describe('an origin', () => {
  test.each([
    ['app.example.com:443', 'https://app.example.com', 200],
    ['APP.example.com:443', 'https://app.example.com', 200],
    ['app.example.com', 'https://app.example.com', 200],
    ['app.example.com:444', 'https://app.example.com', 403],
    ['app.example.com:443', 'https://app.example.com:444', 403],
    ['app.example.com:80', 'https://app.example.com', 403],
    ['localhost:80', 'http://localhost', 200],
    ['localhost:8080', 'http://localhost', 403],
    ['[::1]:80', 'http://[::1]', 200],
  ])('is compared without the port of its scheme: Host %s, Origin %s is %i', async (host, origin, status) => {
    expect((await write({}, { host, headers: { origin } })).status).toBe(status)
  })

  test('a first curl is told how to be let in', async () => {
    const reply = await write({}, {})
    expect([reply.status, reply.code]).toEqual([403, 'cross-site'])
    expect(reply.body).toContain("curl add -H 'Sec-Fetch-Site: same-origin'")
    expect((await write({}, { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(200)
  })
})

describe('a proxy that ends TLS and that nobody told of', () => {
  // As nginx passes it on with `proxy_pass http://127.0.0.1:3000` alone.
  const passed = {
    host: '127.0.0.1:3000',
    headers: { 'sec-fetch-site': 'same-origin', origin: 'https://app.example.com' },
  }

  test('no cookie goes out without Secure: the request is refused, and the sentence says what to set', async () => {
    const store = watchStore(memoryStore())
    const reply = await write({ store }, passed)
    expect([reply.status, reply.code, reply.cookies, store.calls]).toEqual([500, 'proxy-untrusted', [], []])
    const { detail } = reply.message as unknown as { readonly detail: string }
    expect(detail).toContain('A page of https has sent this request')
  })

  test('a request of the app is refused as well, by its Origin and by its Referer', async () => {
    const browser = createWorld().browser()
    const site = { 'sec-fetch-site': 'same-origin' }
    for (const headers of [{ origin: 'https://app.example.com' }, { referer: 'https://app.example.com/in' }])
      // oxlint-disable-next-line no-await-in-loop -- one browser
      await expect(browser.app((session) => session.signIn('ada'), { ...site, ...headers })).rejects.toEqual(
        code('proxy-untrusted'),
      )
    expect(browser.cookie).toBe('')
  })

  test('the diagnosis can be asked all the same', async () => {
    const browser = createWorld().browser()
    expect(
      (await browser.send('/session/diagnosis?probe=abcdefghijklmnop', { ...passed, method: 'GET' })).status,
    ).toBe(200)
  })

  test.each<[string, WorldOptions, Record<string, string>]>([
    [
      'trustProxy and a proxy that says what came',
      { trustProxy: 1 },
      { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.example.com' },
    ],
    ['cookie.secure: true', { cookie: { secure: true } }, {}],
    ['a proxy that adds X-Forwarded-Proto', {}, { 'x-forwarded-proto': 'https' }],
  ])('the cookie is Secure with %s', async (_name, options, headers) => {
    const reply = await write(options, { ...passed, headers: { ...passed.headers, ...headers } })
    expect([reply.status, reply.cookies]).toEqual([
      200,
      [expect.stringMatching(/^__Host-Http-session=.*; Secure/)],
    ])
  })

  test('a page of another site is cross-site, as ever', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    expect(await write({}, { ...passed, headers })).toMatchObject({ status: 403, code: 'cross-site' })
  })
})

describe('the name of the cookie', () => {
  const page = { host: 'shop.example', headers: { 'sec-fetch-site': 'same-origin' } }

  test('without a prefix it is what the app says, and Secure all the same', async () => {
    const { cookies } = await write({ cookie: { name: '__session', prefix: 'none' } }, page)
    expect(cookies).toEqual([expect.stringMatching(/^__session=v1.*; Path=\/; .*HttpOnly; .*Secure/)])
  })

  test('__session without the option is refused at the start, and the sentence names the option', () => {
    expect(() => createWorld({ cookie: { name: '__session' } })).toThrow(/prefix: 'none'/)
  })

  test.each(['__Host-session', '__Secure-session', '__host-http-session', '', 'a b', 'a;b'])(
    'a name that means something else to a browser is refused without a prefix, too: %j',
    (name) => {
      expect(() => createWorld({ cookie: { name, prefix: 'none' } })).toThrow(code('invalid-option'))
    },
  )

  test('a cookie from the time of plain http is taken away beside the Secure one, and another app’s is not', async () => {
    const world = createWorld()
    const plain = world.browser()
    await plain.app((session) => session.signIn('ada'))
    const secure = { ...page, method: 'POST', body }
    const send = (cookie: string) =>
      world.browser().send('/session/sync', { ...secure, headers: { ...own, ...page.headers, cookie } })
    const { cookies } = await send(plain.cookie)
    expect(cookies).toEqual([
      expect.stringMatching(/^session=; Path=\/; Max-Age=0/),
      expect.stringMatching(/^__Host-Http-session=v1/),
    ])
    expect((await send('session=of-another-app')).cookies).toHaveLength(1)
  })
})
