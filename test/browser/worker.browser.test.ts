// The service worker in whatever engine runs this: first load, attaching, refreshing, bodies, a dead network, hostile
// messages, the kill switch. One registration for the file: a worker that is unregistered lives as long as its pages.
import { afterEach, describe, expect, test as base } from 'vitest'
import type { Session } from 'session-mirror'
import { createApp } from './app.ts'
import { sleep, until } from '../support/waiting.ts'
import type { Schema } from './schema.ts'

const app = createApp('worker')
const worker = { url: `${app.base}/session-worker.js`, api: [`${app.base}/api/`], scope: '/' }

const test = base
  .extend('session', { scope: 'file', auto: true }, async ({}, { onCleanup }): Promise<Session<Schema>> => {
    onCleanup(async () => {
      app.close()
      // Takes effect when this page is gone: the next test file has the scope for itself.
      await (await navigator.serviceWorker.getRegistration())?.unregister()
    })
    const session = await app.open({ worker })
    // An earlier test file's worker may still have the page for a moment.
    await until(
      'the worker controls the page',
      () => navigator.serviceWorker.controller?.scriptURL.includes(app.base) === true,
    )
    return session
  })
  .extend('signedIn', ({ session }) => async (): Promise<void> => {
    await app.signIn('ada')
    await until('the session is Ada’s', () => session.owner === 'ada')
  })
afterEach(() => app.control({}))

const refreshes = async (): Promise<number> => (await app.seen('/session/refresh')).length
const me = (count: number): Promise<{ status: number; owner: unknown }[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const response = await app.fetch('/api/me')
      return { status: response.status, owner: (await response.json()).owner }
    }),
  )
const report = (): Promise<Record<string, unknown>> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', ({ data }) => resolve(data))
    port1.start()
    navigator.serviceWorker.controller?.postMessage({ type: 'report' }, [port2])
  })

test('the worker controls the page after the first load, without a reload', async ({ session }) => {
  await until('the worker is known to control the page', () => session.inspect().worker === 'controlling')
  expect(navigator.serviceWorker.controller?.scriptURL).toContain('/backend/worker/session-worker.js')
  expect(await report()).toMatchObject({ session: `${app.base}/session`, api: worker.api, isRetired: false })
})

test('the worker attaches the epoch to a listed request, whose cookie goes along, and to no other', async ({
  session,
  signedIn,
}) => {
  await signedIn()
  await app.fetch('/api/me')
  await app.fetch('/plain')
  const { epoch } = session.inspect().local.mirror
  const [listed] = (await app.seen('/api/me')).slice(-1)
  const [other] = (await app.seen('/plain')).slice(-1)
  expect(listed).toMatchObject({ epoch, hasCookie: true, site: 'same-origin' })
  expect([other?.epoch, other?.hasCookie]).toEqual([undefined, true])
})

describe('a cookie at its end', () => {
  test('a stale cookie is refreshed once for twenty requests of two pages, and all are answered', async ({
    session,
    signedIn,
  }) => {
    await signedIn()
    const tab = await app.openTab()
    await tab.pull()
    await app.outliveCookie(session, tab)
    const before = await refreshes()
    const answers = await Promise.all([me(20), tab.fetch(`${app.base}/api/me`)])
    expect(answers[0]).toEqual(Array.from({ length: 20 }, () => ({ status: 200, owner: 'ada' })))
    expect(answers[1].status).toBe(200)
    expect((await refreshes()) - before).toBe(1)
  })

  const form = (): FormData => {
    const data = new FormData()
    data.append('item', 'two apples')
    return data
  }
  const bodies: readonly (readonly [string, () => BodyInit])[] = [
    ['a text', () => 'two apples'],
    ['a form', form],
    ['a blob', () => new Blob(['two apples'], { type: 'text/plain' })],
    ['bytes', () => new TextEncoder().encode('two apples')],
  ]
  test.for(bodies)(
    'a cookie is refreshed after a 401, and a request with %s goes out again, whole',
    async ([, body], { session, signedIn }) => {
      await signedIn()
      // The browser believes that all is well; only the server knows better.
      await app.outliveCookie(session)
      await believeFresh()
      const before = (await app.seen('/api/order')).length
      const response = await app.fetch('/api/order', { method: 'POST', body: body() })
      expect(response.status).toBe(200)
      expect((await response.json()).body).toContain('two apples')
      expect(
        (await app.seen('/api/order')).slice(before).map((seen) => seen.body.includes('two apples')),
      ).toEqual([true, true])
    },
  )
})

test('a stream that this engine can send is sent once, after the refresh', async ({ session, signedIn }) => {
  const canStream = await sendsStreams()
  await signedIn()
  await app.outliveCookie(session)
  if (!canStream) return expect(canStream).toBe(false)
  const before = (await app.seen('/api/order')).length
  // Over HTTP/1.1 Chromium refuses to send streams at all: whatever it does, it must not do it twice.
  await app
    .fetch('/api/order', { method: 'POST', body: streamOf('two apples'), duplex: 'half' } as RequestInit)
    .catch(() => undefined)
  expect((await app.seen('/api/order')).length - before).toBeLessThan(2)
})

describe('a dead network', () => {
  test('a dead network signs nobody out, and all is well when it is back', async ({ session, signedIn }) => {
    await signedIn()
    await app.outliveCookie(session)
    await app.control({ isDead: true })
    await expect(app.fetch('/api/me')).rejects.toThrow(TypeError)
    await session.pull()
    expect([session.owner, session.status]).toEqual(['ada', { state: 'stale', reason: 'offline' }])
    await app.control({})
    expect(await me(1)).toEqual([{ status: 200, owner: 'ada' }])
  })

  test('a network that dies while the cookie is refreshed signs nobody out', async ({
    session,
    signedIn,
  }) => {
    await signedIn()
    await app.outliveCookie(session)
    await app.control({ delays: { '/session/refresh': 300 } })
    const before = await refreshes()
    const asked = app.fetch('/api/me').catch(() => undefined)
    await until('the refresh has arrived', async () => (await refreshes()) > before)
    await app.control({ isDead: true })
    await asked
    await app.control({})
    expect(await me(1)).toEqual([{ status: 200, owner: 'ada' }])
  })
})

test('an app’s abort ends its request while that waits for a refresh', async ({ session, signedIn }) => {
  await signedIn()
  await app.outliveCookie(session)
  await app.control({ delays: { '/session/refresh': 1500 } })
  const outcome = app.fetch('/api/me', { signal: AbortSignal.timeout(100) }).then(
    () => 'answered',
    () => 'aborted',
  )
  expect(await Promise.race([outcome, sleep(1000).then(() => 'late')])).toBe('aborted')
})

test('a sign-out in one page wipes the other, and the next request is nobody’s', async ({
  session,
  signedIn,
}) => {
  await signedIn()
  const tab = await app.openTab()
  await tab.pull()
  expect(tab.owner).toBe('ada')
  expect(await session.signOut()).toEqual({ server: 'confirmed', device: 'clean' })
  await until('the other tab shows nobody', () => tab.owner === null)
  expect(await me(1)).toEqual([{ status: 200, owner: null }])
})

function mirroredBy(session: Session<Schema>): unknown {
  const { epoch, owner, revision, keys } = session.inspect().local.mirror
  return { epoch, owner, revision, keys }
}

test('hostile messages change nothing', async ({ session, signedIn }) => {
  await signedIn()
  const known = mirroredBy(session)
  const { startedAt } = await report()
  const channel = new BroadcastChannel(`session-mirror:${app.base}/session`)
  for (let count = 0; count < 2000; count++) {
    const data = [
      null,
      count,
      'retire',
      ['retire'],
      { type: 'Retire' },
      { type: { type: 'retire' } },
      { format: 1, mirror: count },
      { format: 1, hint: 'x', gone: [count] },
    ][count % 8]
    navigator.serviceWorker.controller?.postMessage(data)
    channel.postMessage(data)
  }
  channel.close()
  expect(await me(1)).toEqual([{ status: 200, owner: 'ada' }])
  expect(await report()).toMatchObject({ startedAt, isRetired: false })
  expect(mirroredBy(session)).toEqual(known)
})

test('the doctor finds nothing', async ({ session, signedIn }) => {
  await signedIn()
  // Nor on an answer of a route that the session middleware does not stand before: none was listed here.
  expect(await session.diagnose()).toEqual([])
})

test('requests pass a worker by whose kill switch was used, and the page does its own work', async ({
  session,
  signedIn,
}) => {
  await signedIn()
  navigator.serviceWorker.controller?.postMessage({ type: 'retire' })
  await until('the worker is retired', async () => (await report()).isRetired === true)
  await app.fetch('/api/me')
  expect((await app.seen('/api/me')).at(-1)?.epoch).toBeUndefined()
  await app.outliveCookie(session)
  expect((await session.fetch(`${app.base}/api/me`)).status).toBe(200)
})

/** Writes into the database that the cookie is good for an hour. */
async function believeFresh(): Promise<void> {
  const opening = indexedDB.open(`session-mirror:${app.base}/session`)
  await new Promise((resolve) => opening.addEventListener('success', resolve))
  const objects = opening.result.transaction('mirror', 'readwrite').objectStore('mirror')
  const reading = objects.get('mirror')
  await new Promise((resolve) => reading.addEventListener('success', resolve))
  objects.put({ ...reading.result, notedAt: Date.now(), freshUntil: Date.now() + 3_600_000 }, 'mirror')
  await new Promise((resolve) => objects.transaction.addEventListener('complete', resolve))
  opening.result.close()
}

function streamOf(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })
}

async function sendsStreams(): Promise<boolean> {
  let isRead = false
  const request = new Request('/', {
    method: 'POST',
    body: streamOf('x'),
    get duplex() {
      isRead = true
      return 'half'
    },
  } as RequestInit)
  // Where streams are not known they become the text of an object.
  return isRead && !request.headers.has('content-type')
}
