// Small sessions in the cookie, large ones in a real memcached, behind real HTTP and two servers that share nothing but
// that memcached.
import { expect } from 'vitest'
import { cookieStore, spillStore } from '../../../src/cookie.ts'
import { memcachedStore } from '../../../src/memcached.ts'
import { type SessionRequest, sessionMiddleware } from '../../../src/node.ts'
import { createSessions } from '../../../src/server.ts'
import { test as memcachedTest } from '../../support/memcached-test.ts'
import { type Schema, ignoreError, schema, secrets } from '../harness.ts'
import { client, listen } from '../http.ts'

/** `arrive` opens two servers over the memcached of the file, and a browser of its own at the first of them. */
const test = memcachedTest.extend<{ arrive: () => ReturnType<typeof open> }>({
  arrive: async ({ memcached }, use) => use(() => open(memcached.address)),
})

/** `/in` signs in, `/cart?300` fills, `/` says who and how much. */
async function startServer(address: string): Promise<string> {
  const large = memcachedStore({ servers: address, timeoutMilliseconds: 200 })
  const sessions = createSessions({
    schema,
    secrets,
    store: spillStore(cookieStore(), large),
    allowNonBrowser: true,
    onError: ignoreError,
  })
  const middleware = sessionMiddleware(sessions)
  return listen((request, response) => {
    void middleware(request, response, () => {
      const { session } = request as SessionRequest<Schema>
      const [path = '', query = ''] = (request.url ?? '').split('?')
      if (path === '/in') session.signIn('ada')
      if (path === '/cart')
        session.set(
          'cart',
          Array.from({ length: Number(query) }, (_, index) => `thing ${index}`),
        )
      response.end(`${session.owner ?? 'nobody'} ${session.get('cart').length}`)
    })
  })
}

async function open(address: string) {
  const [one, two] = [await startServer(address), await startServer(address)]
  const { jar, get } = client(one)
  const say = async (path: string, init?: RequestInit): Promise<string> => (await get(path, init)).text()
  const visit = async (origin: string, cookie = jar.cookie): Promise<string> => {
    const response = await fetch(origin, { headers: { cookie } })
    return response.ok ? response.text() : String(response.status)
  }
  const signOut = (): Promise<Response> =>
    get('/session', {
      method: 'DELETE',
      headers: { 'session-mirror': '1', 'content-type': 'application/json' },
    })
  return { one, two, jar, say, visit, signOut }
}

test('a session moves there and back, and every server has it', async ({ arrive }) => {
  const { two, jar, say, visit } = await arrive()
  await say('/in', { method: 'POST' })
  expect(jar.cookie).toContain('~')
  expect(await visit(two)).toBe('ada 0')
  expect(await say('/cart?400', { method: 'POST' })).toBe('ada 400')
  expect(jar.cookie).not.toContain('~')
  expect(await visit(two)).toBe('ada 400')
  expect(await say('/cart?2', { method: 'POST' })).toBe('ada 2')
  expect(jar.cookie).toContain('~')
  expect(await visit(two)).toBe('ada 2')
})

test('a session that was signed out is over on every server, for a copy of the cookie, too', async ({
  arrive,
}) => {
  for (const size of [2, 400]) {
    const { two, jar, say, visit, signOut } = await arrive()
    await say('/in', { method: 'POST' })
    await say(`/cart?${size}`, { method: 'POST' })
    const copy = jar.cookie
    expect((await signOut()).status).toBe(200)
    expect(await visit(two, copy)).toBe('nobody 0')
  }
})

test('a memcached that stands still refuses, and signs nobody out', async ({ arrive, memcached }) => {
  const { two, say, visit } = await arrive()
  await say('/in', { method: 'POST' })
  await memcached.freeze()
  expect(await visit(two)).toBe('503')
  memcached.thaw()
  await expect.poll(() => visit(two)).toBe('ada 0')
})

test('a memcached that was restarted has lost the large sessions, and the ends of the small ones', async ({
  arrive,
  memcached,
}) => {
  const small = await arrive()
  await small.say('/in', { method: 'POST' })
  const copy = small.jar.cookie
  await small.signOut()
  const large = await arrive()
  await large.say('/in', { method: 'POST' })
  await large.say('/cart?400', { method: 'POST' })
  await memcached.restart()
  await expect.poll(() => large.visit(large.one)).toBe('409')
  expect(await small.visit(small.two, copy)).toBe('ada 0')
})
