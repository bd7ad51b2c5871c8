// An answer that depends on a session is kept out of every cache, whatever header that cache obeys, with each adapter.
import type { ServerResponse } from 'node:http'
import { describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { hasDirective } from '../../../src/server/http/cache-control.ts'
import { type AdapterServer, type App, adapters } from '../adapters.ts'
import { createWorld } from '../harness.ts'
import { client, start } from '../http.ts'

type Serve = (adapter: string, app: App) => Promise<ReturnType<typeof client>>

const test = base.extend<{ serve: Serve }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its pattern
  serve: async ({}, use) => {
    const servers: AdapterServer[] = []
    await use(async (adapter, app) => {
      const { sessions } = createWorld({ store: memoryStore(), clock: Date.now })
      const server = await adapters[adapter]?.(sessions, app)
      if (server === undefined) throw new Error(`There is no adapter ${adapter}.`)
      servers.push(server)
      return client(server.origin)
    })
    for (const server of servers) await server.close()
  },
})

/** What the app sets, by field, and what is to stand there when the answer depends on the session. */
const targeted: Readonly<Record<string, readonly [given: string, kept: string]>> = {
  'x-accel-expires': ['600', '0'],
  'cdn-cache-control': ['max-age=600', 'no-store'],
  'surrogate-control': ['max-age=600', 'no-store'],
  'edge-control': ['cache-maxage=600', 'no-store'],
  'akamai-cache-control': ['max-age=600', 'no-store'],
  'x-litespeed-cache-control': ['public, max-age=600', 'no-store'],
  'cloudflare-cdn-cache-control': ['max-age=600', 'no-store'],
  'somebodys-cache-control': ['max-age=600', 'no-store'],
}
const names = Object.keys(targeted)
const given = Object.fromEntries(Object.entries(targeted).map(([name, [value]]) => [name, value]))
const kept = Object.values(targeted).map(([, value]) => value)
const own = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }

const app: App = (path, session) => {
  if (path === '/in') session.signIn('alice')
  if (path === '/hint')
    return { headers: { 'cache-control': 'x-no-store-hint=1, public' }, body: session.owner ?? '' }
  return path === '/all' ? { headers: given } : { headers: given, body: session.owner ?? '' }
}

describe.each(Object.keys(adapters))('%s', (adapter) => {
  test('a header for one CDN never lets it keep an answer that depends on the session', async ({ serve }) => {
    const { get } = await serve(adapter, app)
    const everybodys = await get('/all')
    expect(names.map((name) => everybodys.headers.get(name))).toEqual(Object.values(given))
    for (const answer of [await get('/in', own), await get('/me')]) {
      expect(names.map((name) => answer.headers.get(name))).toEqual(kept)
      expect(answer.headers.get('cache-control')).toBe('no-store')
    }
  })

  test('a directive whose name only holds the words no-store keeps no answer private', async ({ serve }) => {
    const { get } = await serve(adapter, app)
    await get('/in', own)
    expect((await get('/hint')).headers.get('cache-control')).toBe('no-store')
  })
})

test.for<readonly [string, string, boolean]>([
  ['no-store', 'no-store', true],
  ['public, No-Store', 'no-store', true],
  ['max-age=1,no-store ', 'no-store', true],
  ['x="a, b", no-store', 'no-store', true],
  ['x-no-store-hint=1', 'no-store', false],
  ['x="no-store"', 'no-store', false],
  ['x="a, no-store, b"', 'no-store', false],
  ['x="a\\", no-store, b"', 'no-store', false],
  ['x="a, no-store', 'no-store', false],
  ['no-store=1', 'no-store', false],
  ['private', 'private', true],
  ['private="set-cookie"', 'private', false],
  ['no-cache="a", private = "b"', 'private', false],
  ['x-public', 'public', false],
  ['', 'public', false],
])('the field %s has the directive %s: %s', ([value, name, expected]) => {
  expect(hasDirective(value, name)).toBe(expected)
})

test('a directive is looked for in time that grows with the length of the field alone', () => {
  const started = performance.now()
  hasDirective('"\\'.repeat(100_000), 'no-store')
  hasDirective(',"'.repeat(100_000), 'no-store')
  expect(performance.now() - started).toBeLessThan(1000)
})

test('what is set when the head goes out is kept from caches as well', async () => {
  const { get } = await start((request, response) => {
    const late = response.writeHead.bind(response)
    // As the package on-headers does it.
    Object.assign(response, {
      writeHead(...parameters: Parameters<typeof late>) {
        response.setHeader('x-accel-expires', '600')
        response.appendHeader('cdn-cache-control', 'max-age=600')
        response.setHeaders(new Map([['edge-control', 'cache-maxage=600']]))
        return late(...parameters)
      },
    })
    void request.session.owner
    response.end('all')
  })
  const { headers } = await get('/')
  const read = ['x-accel-expires', 'cdn-cache-control', 'edge-control'].map((name) => headers.get(name))
  expect(read).toEqual(['0', 'no-store', 'no-store'])
})

test.each<[string, (response: ServerResponse) => unknown]>([
  [
    'are removed',
    (response) => ['Set-Cookie', 'cache-control', 'Vary'].map((name) => response.removeHeader(name)),
  ],
  [
    'are set anew',
    (response) => response.setHeader('set-cookie', 'app=2').setHeader('cache-control', 'public'),
  ],
  ['are set anew as a map', (response) => response.setHeaders(new Map([['set-cookie', 'app=2']]))],
  ['are added to', (response) => response.appendHeader('set-cookie', 'app=2').appendHeader('vary', 'Accept')],
])('the session’s own headers stay when they %s as the head goes out', async (_name, change) => {
  const { get, jar } = await start((request, response) => {
    const late = response.writeHead.bind(response)
    Object.assign(response, {
      writeHead(...parameters: Parameters<typeof late>) {
        change(response)
        return late(...parameters)
      },
    })
    request.session.signIn('ada')
    response.end('all')
  })
  const { headers } = await get('/', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })
  expect(headers.getSetCookie().filter((line) => line.startsWith('session='))).toHaveLength(1)
  expect([headers.get('cache-control'), headers.get('vary')?.includes('Cookie')]).toEqual(['no-store', true])
  expect(jar.cookie).not.toBe('')
})

test('the session’s own headers stay when the app gives others to writeHead as the head goes out', async () => {
  const { get } = await start((request, response) => {
    const late = response.writeHead.bind(response)
    Object.assign(response, {
      writeHead: (status: number) => late(status, ['set-cookie', 'app=2', 'cache-control', 'public']),
    })
    request.session.signIn('ada')
    response.end('all')
  })
  const { headers } = await get('/', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })
  expect(headers.getSetCookie().map((line) => line.split('=')[0])).toEqual(
    expect.arrayContaining(['app', 'session']),
  )
  expect(headers.get('cache-control')).toMatch(/no-store/)
})

test('a header that is not the session’s is removed as the head goes out, and Vary of an answer without a session too', async () => {
  const { get } = await start((_request, response) => {
    const late = response.writeHead.bind(response)
    Object.assign(response, {
      writeHead(...parameters: Parameters<typeof late>) {
        for (const name of ['vary', 'x-app']) response.removeHeader(name)
        return late(...parameters)
      },
    })
    response.setHeader('vary', 'Accept').setHeader('x-app', '1')
    response.end('all')
  })
  const { headers } = await get('/')
  expect([headers.get('vary'), headers.get('x-app')]).toEqual([null, null])
})
