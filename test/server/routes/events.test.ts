// Server-sent events over real HTTP: what arrives, when a stream ends, and that none outlives its reader.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { localFeed } from '../../../src/server/core/feed.ts'
import type { Patch } from '../../../src/protocol/state.ts'
import { createWorld, watchStore } from '../harness.ts'
import { start } from '../http.ts'
import { sleep } from '../../support/waiting.ts'

interface Event {
  readonly event?: string
  readonly id?: string
  readonly data?: string
  readonly retry?: string
  /** A comment. */
  readonly ''?: string
}

interface Stream {
  readonly response: Response
  next(): Promise<Event>
  /** Undefined at the end of the stream. */
  patch(): Promise<Patch | undefined>
  close(): void
}

/** As the HTML standard parses a stream, but for what this server never sends. */
function parse(response: Response, abort: AbortController): Stream {
  let reader: ReadableStreamDefaultReader<string> | undefined
  let buffer = ''
  async function next(): Promise<Event> {
    while (!buffer.includes('\n\n')) {
      reader ??= response.body?.pipeThrough(new TextDecoderStream()).getReader()
      const chunk = await reader?.read()
      if (chunk === undefined || chunk.done) return { event: 'closed' }
      buffer += chunk.value
    }
    const end = buffer.indexOf('\n\n')
    const lines = buffer.slice(0, end).split('\n')
    buffer = buffer.slice(end + 2)
    return Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2)))
  }
  return {
    response,
    next,
    async patch() {
      for (;;) {
        const event = await next()
        if (event.event === 'patch') return JSON.parse(event.data ?? '') as Patch
        if (event.event !== undefined) return undefined
      }
    },
    close: () => abort.abort(),
  }
}

type App = Awaited<ReturnType<typeof open>>

async function open(options: Parameters<typeof start>[1] = {}) {
  const app = await start((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/set') request.session.set('theme', searchParams.get('theme') ?? '')
    if (pathname === '/secret') request.session.set('secret', 'x')
    if (pathname === '/in') request.session.signIn('ada')
    if (pathname === '/again') request.session.regenerate()
    response.end()
  }, options)
  await app.get('/in')
  async function listen(headers: Record<string, string> = {}, query = ''): Promise<Stream> {
    const abort = new AbortController()
    return parse(await app.get(`/session/events${query}`, { signal: abort.signal, headers }), abort)
  }
  return { ...app, listen }
}

const signOut = (app: App): Promise<Response> =>
  app.get('/session', {
    method: 'DELETE',
    headers: { 'session-mirror': '1', 'sec-fetch-site': 'same-origin' },
  })

describe('a stream', () => {
  test('a stream begins with the whole mirror and goes on with what changes', async () => {
    const app = await open()
    const stream = await app.listen()
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
    expect(stream.response.headers.get('cache-control')).toBe('no-store')
    expect(await stream.next()).toEqual({ retry: '2000' })
    expect(await stream.patch()).toMatchObject({ since: null, owner: 'ada', revision: 1 })
    await app.get('/set?theme=dark')
    expect(await stream.patch()).toMatchObject({ since: 1, revision: 2, keys: { theme: [2, 'dark'] } })
    await app.get('/set?theme=light')
    expect(await stream.patch()).toMatchObject({ since: 2, revision: 3, keys: { theme: [3, 'light'] } })
    stream.close()
  })

  test('a stream never tells of hidden keys', async () => {
    const app = await open()
    const stream = await app.listen()
    await stream.patch()
    await app.get('/secret')
    expect(await stream.patch()).toMatchObject({ revision: 2, keys: {} })
    stream.close()
  })

  test('a stream goes on from where the browser was, by Last-Event-ID or by the query', async () => {
    const app = await open()
    const first = await app.listen()
    await first.next()
    const { id = '' } = await first.next()
    first.close()
    await app.get('/set?theme=dark')
    const patch = { since: 1, revision: 2, keys: { theme: [2, 'dark'] } }
    const second = await app.listen({ 'last-event-id': id })
    expect(await second.patch()).toMatchObject(patch)
    const [epoch, since] = id.split('.')
    const third = await app.listen({}, `?epoch=${epoch}&since=${since}`)
    expect(await third.patch()).toMatchObject(patch)
    const odd = await app.listen({ 'last-event-id': '__proto__.1e9' })
    expect(await odd.patch()).toMatchObject({ since: null })
    for (const stream of [second, third, odd]) stream.close()
  })

  test('a slow reader gets one patch for many changes', async () => {
    const app = await open()
    const stream = await app.listen()
    await stream.patch()
    await Promise.all(Array.from({ length: 20 }, (_, index) => app.get(`/set?theme=t${index}`)))
    let patches = 0
    for (let revision = 1; revision < 21; patches++) revision = (await stream.patch())?.revision ?? 99
    expect(patches).toBeLessThanOrEqual(20)
    stream.close()
  })

  test('a stream ends at the sign-out, at once', async () => {
    const app = await open()
    const stream = await app.listen()
    await stream.patch()
    await signOut(app)
    expect(await stream.next()).toEqual({ event: 'ended', data: '{}' })
    expect(await stream.next()).toEqual({ event: 'closed' })
  })

  test('a stream ends when the session gets another epoch, and goes on through rotations of its id', async () => {
    let ms = Date.now()
    const app = await open({ clock: () => ms })
    const stream = await app.listen()
    await stream.patch()
    ms += 4000 * 1000
    const body = JSON.stringify({ epoch: null, owner: null, since: 0 })
    const headers = {
      'content-type': 'application/json',
      'session-mirror': '1',
      'sec-fetch-site': 'same-origin',
    }
    expect((await app.get('/session/refresh', { method: 'POST', body, headers })).status).toBe(200)
    await app.get('/set?theme=dark')
    expect(await stream.patch()).toMatchObject({ keys: { theme: [2, 'dark'] } })
    await app.get('/again')
    expect(await stream.next()).toMatchObject({ event: 'ended' })
  })

  test('a stream shows a sign of life, and finds out then what another process did', async () => {
    const store = memoryStore()
    const app = await open({ store, heartbeatSeconds: 1 })
    const other = createWorld({ store, clock: Date.now })
    const stream = await app.listen()
    await stream.patch()
    expect(await stream.next()).toEqual({ '': '' })
    await other.sessions.revokeAll('ada')
    const events = [await stream.next(), await stream.next()]
    expect(events).toContainEqual({ event: 'ended', data: '{}' })
  })

  test('a stream hears at once from another process through a feed that they share', async () => {
    const [store, feed] = [memoryStore(), localFeed()]
    const app = await open({ store, feed, heartbeatSeconds: 3600 })
    const other = createWorld({ store, feed, clock: Date.now })
    const stream = await app.listen()
    await stream.patch()
    const [owned] = await other.sessions.list('ada')
    const session = await other.sessions.getById('ada', owned?.id ?? '')
    session?.set('theme', 'blue')
    await session?.save()
    expect(await stream.patch()).toMatchObject({ keys: { theme: [2, 'blue'] } })
    stream.close()
  })

  test('an idle session expires under an open stream', async () => {
    let ms = Date.now()
    const clock = (): number => ms
    const app = await open({ clock, store: memoryStore({ clock }), heartbeatSeconds: 1 })
    const stream = await app.listen()
    await stream.patch()
    for (let step = 0; step < 2; step++) {
      ms += 50_000 * 1000
      await sleep(1100)
    }
    let event = await stream.next()
    while (event.event === undefined) event = await stream.next()
    expect(event).toMatchObject({ event: 'ended' })
  })

  test('a stream outlives a store that does not answer for a while', async () => {
    const store = watchStore(memoryStore())
    const app = await open({ store, heartbeatSeconds: 1 })
    const stream = await app.listen()
    await stream.patch()
    store.broken = true
    expect(await stream.next()).toEqual({ '': '' })
    store.broken = false
    await app.get('/set?theme=dark')
    expect(await stream.patch()).toMatchObject({ keys: { theme: [2, 'dark'] } })
    stream.close()
  })
})

describe('who gets none', () => {
  test('a browser without a session is told not to come again', async () => {
    const app = await open()
    app.jar.cookie = ''
    expect((await app.listen()).response.status).toBe(204)
  })

  test.each([
    ['same-site', 403],
    ['cross-site', 403],
    ['same-origin', 200],
    ['none', 200],
  ])('a page that says %s is answered %i', async (site, status) => {
    const stream = await (await open()).listen({ 'sec-fetch-site': site })
    expect(stream.response.status).toBe(status)
    stream.close()
  })

  test('a stale cookie, and one of a session that is over, get no stream', async () => {
    let ms = Date.now()
    const app = await open({ clock: () => ms })
    ms += 1000 * 1000
    expect(((await (await app.listen()).response.json()) as { code: string }).code).toBe('stale')
    const { cookie } = app.jar
    await signOut(app)
    app.jar.cookie = cookie
    expect(((await (await app.listen()).response.json()) as { code: string }).code).toBe('ended')
  })

  test('the ninth stream of one session is refused until another one is closed', async () => {
    const app = await open()
    const streams = await Promise.all(Array.from({ length: 8 }, () => app.listen()))
    const refused = await app.listen()
    expect([refused.response.status, refused.response.headers.get('retry-after')]).toEqual([503, '5'])
    streams[0]?.close()
    let again = await app.listen()
    for (let tries = 0; again.response.status === 503 && tries < 50; tries++) {
      await sleep(20)
      again = await app.listen()
    }
    expect(again.response.status).toBe(200)
    for (const stream of [...streams, again]) stream.close()
  })
})

test('a Response carries the stream too, and cancelling it lets go of the feed', async () => {
  const feed = localFeed()
  let listeners = 0
  const counting = {
    ...feed,
    subscribe(topic: string, wake: () => void) {
      listeners++
      const stop = feed.subscribe(topic, wake)
      return () => {
        listeners--
        stop()
      }
    },
  }
  const world = createWorld({ feed: counting })
  const browser = world.browser()
  await browser.app((session) => session.signIn('ada'))
  const request = new Request('http://localhost/session/events', { headers: { cookie: browser.cookie } })
  const response = await world.sessions.handleRequest(request)
  const reader = response?.body?.getReader()
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('retry: 2000\n\n')
  expect(listeners).toBe(1)
  await reader?.cancel()
  expect(listeners).toBe(0)
})
