// What a link, a redirect or a form of another site can make a route of the app do, and what lets the routes through that other
// sites are meant to lead to.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { ServerSession } from '../../../src/server.ts'
import { type Schema, type Send, code, createWorld, watchStore } from '../harness.ts'

type Run = (session: ServerSession<Schema>) => void

const signIn: Run = (session) => session.signIn('mallory')
const signOut: Run = (session) => session.destroy()
const visit: Run = (session) => session.increment('visits')

async function run(send: Send, change: Run) {
  const store = watchStore(memoryStore())
  const { sessions, browser } = createWorld({ store })
  const visitor = browser()
  await visitor.app((session) => session.signIn('ada'), { 'sec-fetch-site': 'same-origin' })
  store.calls.length = 0
  const session = await sessions.load(visitor.request('/app', send))
  change(session)
  const before = store.calls.filter((call) => call !== 'read')
  const outcome = await session.save().then(
    () => 'saved',
    (error: { readonly code: string }) => error.code,
  )
  const writes = store.calls.filter((call) => call !== 'read').slice(before.length)
  return { outcome, writes: writes.length, owners: (await sessions.list('mallory')).length }
}

const from = (method: string, site: string | undefined): Send => ({
  method,
  headers: site === undefined ? {} : { 'sec-fetch-site': site },
})

describe('a request to which another site has led the browser', () => {
  test.each([
    ['GET', 'cross-site'],
    ['GET', 'same-site'],
    ['HEAD', 'cross-site'],
    ['POST', 'cross-site'],
    ['POST', 'same-site'],
    ['POST', 'none'],
  ])('%s from %s signs nobody in or out, and the store is not written to', async (method, site) => {
    for (const change of [signIn, signOut]) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      expect(await run(from(method, site), change)).toEqual({ outcome: 'cross-site', writes: 0, owners: 0 })
    }
  })

  test.each(['cross-site', 'same-site', 'none', 'same-origin'])(
    'GET from %s may change other keys: whoever comes by a link is a visitor',
    async (site) => {
      expect(await run(from('GET', site), visit)).toMatchObject({ outcome: 'saved', writes: 1 })
    },
  )

  test.each([
    ['GET', 'same-origin'],
    ['GET', 'none'],
    ['GET', undefined],
    ['POST', 'same-origin'],
  ])('%s from %s signs in, as a page of our own or a link in a mail does', async (method, site) => {
    expect(await run(from(method, site), signIn)).toMatchObject({ outcome: 'saved', owners: 1 })
  })

  test.each([
    ['GET', 'cross-site'],
    ['GET', 'same-site'],
    ['POST', 'cross-site'],
  ])(
    '%s from %s signs in where the route has said that another site may lead there',
    async (method, site) => {
      const callback: Run = (session) => {
        session.allowCrossSite()
        session.signIn('mallory')
      }
      expect(await run(from(method, site), callback)).toMatchObject({ outcome: 'saved', owners: 1 })
    },
  )

  test('what one request was allowed is not allowed to the next', async () => {
    const { browser } = createWorld()
    const visitor = browser()
    const headers = { 'sec-fetch-site': 'cross-site' }
    await visitor.app((session) => {
      session.allowCrossSite()
      session.signIn('ada')
    }, headers)
    await expect(visitor.app(signIn, headers)).rejects.toEqual(code('cross-site'))
  })
})

describe('the guard at the handshake of a WebSocket', () => {
  const handshake = (headers: Record<string, string>) => {
    const { sessions, browser } = createWorld()
    const request = browser().request('/socket', { headers: { upgrade: 'websocket', ...headers } })
    return () => sessions.guard(request)
  }

  test.each<Record<string, string>>([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://localhost' },
    { 'sec-fetch-site': 'same-site', origin: 'http://localhost' },
    { upgrade: 'WebSocket', origin: 'https://evil.example' },
    {},
  ])('refuses what is not of our own page: %j', (headers) => {
    expect(handshake(headers)).toThrow(code('cross-site'))
  })

  test.each<Record<string, string>>([
    { origin: 'http://localhost' },
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost' },
  ])('lets our own page in: %j', (headers) => {
    expect(handshake(headers)).not.toThrow()
  })
})
