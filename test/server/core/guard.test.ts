import { describe, expect, test } from 'vitest'
import { createWorld } from '../harness.ts'

const json = { 'content-type': 'application/json', 'session-mirror': '1' }
const body = JSON.stringify({ epoch: null, owner: null, since: 0 })
const own = 'http://localhost'
const allowed = 'https://app.example.com'

async function status(
  headers: Record<string, string>,
  options: Parameters<typeof createWorld>[0] = {},
): Promise<number> {
  const browser = createWorld({ allowedOrigins: [allowed], ...options }).browser()
  const reply = await browser.send('/session/sync', {
    method: 'POST',
    body,
    headers: { ...json, ...headers },
  })
  return reply.status
}

describe('a request that changes something', () => {
  test.each([
    ['same-origin', undefined, 200],
    ['same-origin', own, 200],
    // No browser says both, unless a proxy that nobody told of has changed Host and scheme.
    ['same-origin', 'https://evil.example', 500],
    ['same-origin', 'http://evil.example', 200],
    ['same-site', undefined, 403],
    ['same-site', own, 403],
    ['same-site', allowed, 200],
    ['cross-site', undefined, 403],
    ['cross-site', 'null', 403],
    ['cross-site', 'https://evil.example', 403],
    ['cross-site', allowed, 200],
    ['none', undefined, 403],
    ['Same-Origin', undefined, 403],
    ['', undefined, 403],
    [undefined, own, 200],
    [undefined, 'https://localhost', 200],
    [undefined, allowed, 200],
    [undefined, 'null', 403],
    [undefined, 'http://localhost:81', 403],
    [undefined, 'http://localhost.evil.example', 403],
    [undefined, 'https://evil.example', 403],
    [undefined, '', 403],
    [undefined, undefined, 403],
  ])('a change with Sec-Fetch-Site %j and Origin %j is %i', async (site, origin, expected) => {
    const headers = {
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
      ...(origin === undefined ? {} : { origin }),
    }
    expect(await status(headers)).toBe(expected)
  })

  test('a request without either header is taken only where the app allows it', async () => {
    expect(await status({}, { allowNonBrowser: true })).toBe(200)
    expect(await status({ origin: 'https://evil.example' }, { allowNonBrowser: true })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'cross-site' }, { allowNonBrowser: true })).toBe(403)
  })

  test('a page on plain http is not our own where the cookie is secure', async () => {
    const browser = createWorld().browser()
    const send = (origin: string) =>
      browser.send('/session/sync', {
        method: 'POST',
        body,
        host: 'shop.example',
        headers: { ...json, origin },
      })
    expect((await send('http://shop.example')).status).toBe(403)
    expect((await send('https://shop.example')).status).toBe(200)
  })

  test.each([
    [{ 'session-mirror': '' }, 415],
    [{ 'session-mirror': '2' }, 415],
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415],
    [{ 'content-type': 'multipart/form-data; boundary=x' }, 415],
    [{ 'content-type': 'application/jsonp' }, 415],
    [{ 'content-type': '' }, 415],
    [{ 'content-type': 'application/json; charset=utf-8' }, 200],
    [{ 'content-type': 'Application/JSON' }, 200],
  ])('a change with %j is %i', async (headers, expected) => {
    expect(await status({ 'sec-fetch-site': 'same-origin', ...headers })).toBe(expected)
  })

  test.each(['/session/sync', '/session/refresh'])(
    'a form of another site on %s does nothing',
    async (url) => {
      const browser = createWorld().browser()
      await browser.app((session) => session.signIn('alice'))
      const form = {
        'content-type': 'text/plain',
        'sec-fetch-site': 'cross-site',
        origin: 'https://evil.example',
      }
      expect(await browser.send(url, { method: 'POST', body, headers: form })).toMatchObject({
        status: 403,
        cookies: [],
      })
    },
  )

  test('a sign-out from another site, or without the header, ends nothing', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    expect((await browser.signOut({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await browser.signOut({ 'session-mirror': undefined })).status).toBe(415)
    expect((await browser.get()).message.owner).toBe('alice')
  })
})

describe('sessions.guard', () => {
  test.each([
    ['GET', 'cross-site', false],
    ['HEAD', 'cross-site', false],
    ['POST', 'cross-site', true],
    ['PUT', 'same-site', true],
    ['DELETE', 'none', true],
    ['POST', 'same-origin', false],
    ['TRACK', 'cross-site', true],
  ])('the guard on %s from %s refuses: %s', (method, site, refuses) => {
    const { sessions, browser } = createWorld()
    const request = browser().request('/app', { method, headers: { 'sec-fetch-site': site } })
    const guard = (): void => sessions.guard(request)
    if (refuses) expect(guard).toThrow(expect.objectContaining({ code: 'cross-site' }))
    else expect(guard).not.toThrow()
  })
})

describe('changes of the app’s own routes', () => {
  const post = (headers: Record<string, string>) => ({ method: 'POST', headers })
  async function change(
    world: ReturnType<typeof createWorld>,
    send: { method: string; headers: Record<string, string> },
  ) {
    const session = await world.sessions.load(world.browser().request('/app', send))
    session.signIn('ada')
    return session.save().then(
      ({ revision }) => revision,
      (error: { code: string }) => error.code,
    )
  }

  test('a change by an app’s own route is refused when another site made the browser send it, also where nobody thought of it', async () => {
    expect(await change(createWorld(), post({ 'sec-fetch-site': 'cross-site' }))).toBe('cross-site')
    expect(await change(createWorld(), post({ origin: 'https://evil.example' }))).toBe('cross-site')
    expect(await change(createWorld(), post({}))).toBe('cross-site')
    expect(await change(createWorld(), post({ 'sec-fetch-site': 'same-origin' }))).toBe(1)
    expect(await change(createWorld(), { method: 'GET', headers: {} })).toBe(1)
  })

  test('a form of another site still gets its answer from a route that only reads', async () => {
    const world = createWorld()
    const session = await world.sessions.load(
      world.browser().request('/app', post({ 'sec-fetch-site': 'cross-site' })),
    )
    expect(session.get('theme')).toBe('light')
    expect((await session.save()).changed).toEqual([])
  })

  test('changes of clients that are no browsers are taken where the app wants them, and unguarded where it insists', async () => {
    expect(await change(createWorld({ allowNonBrowser: true }), post({}))).toBe(1)
    const unguarded = createWorld({ guardChanges: false })
    expect(await change(unguarded, post({ 'sec-fetch-site': 'cross-site' }))).toBe(1)
  })
})
