import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { parseDiagnosis } from '../../../src/protocol/diagnosis.ts'
import { createWorld, watchStore } from '../harness.ts'

const probe = 'AAAAbbbbCCCCdddd'
const url = `/session/diagnosis?probe=${probe}`

describe('the diagnosis route', () => {
  test('the diagnosis says how the request arrived, and whether the cookie that it set came back', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    const first = await browser.send(url, { secure: true })
    expect(first.status).toBe(200)
    expect(parseDiagnosis(first.message)).toEqual({
      at: 1_800_000_000,
      secure: true,
      cookie: { name: '__Host-Http-session', secure: true, sameSite: 'Lax', partitioned: false },
      probe: 'missing',
      session: 'none',
    })
    expect(first.cookies).toEqual([
      `__Host-Http-session-probe-${probe}=1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure`,
    ])
    const cookie = `__Host-Http-session-probe-${probe}=1`
    const second = await browser.send(url, { headers: { cookie }, secure: true })
    expect(second.message).toMatchObject({ probe: 'arrived' })
    expect(second.cookies).toEqual([
      `__Host-Http-session-probe-${probe}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`,
    ])
    expect(store.calls).toEqual([])
  })

  test('the diagnosis sees the cookie of a session, and no forged one; it never tells what is in it', async () => {
    const browser = createWorld().browser()
    await browser.sync([{ kind: 'set', key: 'theme', value: 'dark' }])
    // Of the session: the diagnosis sets a cookie of its own.
    const { cookie } = browser
    const [, value = ''] = cookie.split('=')
    const reply = await browser.send(url)
    expect(reply.message).toMatchObject({ session: 'sent' })
    expect(reply.body).not.toContain(value.slice(10, 40))
    const forged = `${cookie.slice(0, -1)}${cookie.endsWith('A') ? 'B' : 'A'}`
    expect((await browser.send(url, { headers: { cookie: forged } })).message).toMatchObject({
      session: 'other',
    })
  })

  test('the diagnosis tells a cookie of another app on the same host from none', async () => {
    const [own, other] = [
      createWorld(),
      createWorld({ secrets: ['another secret of the tests, long enough'] }),
    ]
    const neighbour = other.browser()
    await neighbour.sync([{ kind: 'set', key: 'theme', value: 'dark' }])
    const asked = async (cookie: string | undefined) =>
      (await own.browser().send(url, { headers: { cookie } })).message
    expect(await asked(neighbour.cookie)).toMatchObject({ session: 'other' })
    expect(await asked('theme=dark')).toMatchObject({ session: 'none' })
    expect(await asked('xsession=dark')).toMatchObject({ session: 'none' })
  })

  test('the diagnosis takes no other probe, and puts nothing of it into a header', async () => {
    const browser = createWorld().browser()
    for (const bad of [
      '',
      '?probe=',
      '?probe=short',
      `?probe=${probe}x`,
      `?probe=AAAA;%20Domain=x`,
      '?probe=aaaa%0d%0abbbbccc',
    ]) {
      const reply = await browser.send(`/session/diagnosis${bad}`)
      expect([reply.status, reply.code, reply.cookies]).toEqual([400, 'malformed', []])
    }
  })

  test('the diagnosis is for our own pages: another site is refused, and learns nothing', async () => {
    const browser = createWorld().browser()
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    expect(await browser.send(url, { headers })).toMatchObject({
      status: 403,
      code: 'cross-site',
      cookies: [],
    })
  })

  test('the diagnosis behind proxies that the server is not told of says that the request was plain', async () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
    const ask = async (trustProxy: number): Promise<unknown> =>
      (await createWorld({ trustProxy }).browser().send(url, { headers, secure: false })).message
    expect(await ask(0)).toMatchObject({ secure: false, cookie: { secure: true } })
    expect(await ask(1)).toMatchObject({ secure: true, cookie: { secure: true } })
  })
})

test.each(['/session', '/session/events', url, '/session/nowhere'])(
  'the address %s is no worker’s script',
  async (route) => {
    const browser = createWorld().browser()
    await browser.sync([{ kind: 'set', key: 'theme', value: 'dark' }])
    const headers = {
      'service-worker': 'script',
      'sec-fetch-site': 'same-origin',
      'sec-fetch-dest': 'serviceworker',
    }
    expect(await browser.send(route, { headers })).toMatchObject({
      status: 403,
      code: 'cross-site',
      cookies: [],
    })
  },
)
