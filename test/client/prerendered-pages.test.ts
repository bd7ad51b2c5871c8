// A page that the browser prerenders: the server renews nothing for it, and says `speculative`. Nobody is signed out by that,
// and what had to wait is done when somebody opens the page.
import { describe, expect, test as vitestTest, vi } from 'vitest'
import { createPageLifecycle } from '../../src/client/page-lifecycle.ts'
import type { Sync } from '../../src/mirror/sync/sync.ts'
import type { TabMirror } from '../../src/mirror/tabs/tab-mirror.ts'
import { test } from './harness.ts'

/** `fetch` of a page that is prerendered until it is opened, as Chromium marks its requests. */
function prerendered() {
  const page = { isOpened: false, codes: [] as string[] }
  const send = async (request: Request): Promise<Response> => {
    const headers = new Headers(request.headers)
    if (!page.isOpened) headers.set('sec-purpose', 'prefetch;prerender')
    const response = await fetch(new Request(request, { headers }))
    if (!response.ok) page.codes.push(((await response.clone().json()) as { code: string }).code)
    return response
  }
  return { page, fetch: send }
}

describe('a prerendered page', () => {
  test('a prerendered page with a stale cookie keeps its user, and is live as soon as it is opened', async ({
    signedIn,
    open,
    server,
  }) => {
    ;(await signedIn()).close()
    server.clock.advance(1000)
    const { page, fetch: send } = prerendered()
    const session = await open({ fetch: send })
    await session.pull()
    expect(page.codes).toContain('speculative')
    expect([session.get('user'), session.status]).toEqual(['Ada', { state: 'stale', reason: 'unavailable' }])
    page.isOpened = true
    await session.pull()
    expect([session.get('user'), session.status]).toEqual(['Ada', { state: 'live' }])
  })

  test('a change in a prerendered page is kept, and is stored once it is opened', async ({
    signedIn,
    open,
    onServer,
  }) => {
    ;(await signedIn()).close()
    const { page, fetch: send } = prerendered()
    const session = await open({ fetch: send })
    const write = session.set('note', 'written before anybody looked')
    await session.pull()
    await vi.waitFor(() => expect(page.codes).toContain('speculative'))
    expect(await onServer((own) => own.get('note'))).toBe('')
    page.isOpened = true
    await session.pull()
    await write.acknowledged
    expect(await onServer((own) => own.get('note'))).toBe('written before anybody looked')
  })

  test('a sign-out in a prerendered page waits, and is done once it is opened', async ({
    signedIn,
    open,
    onServer,
  }) => {
    ;(await signedIn()).close()
    const { page, fetch: send } = prerendered()
    const session = await open({ fetch: send })
    void session.signOut()
    await vi.waitFor(() => expect(page.codes).toContain('speculative'))
    page.isOpened = true
    await session.pull()
    await vi.waitFor(async () => expect(await onServer((own) => own.owner)).toBe(null))
  })

  test('a refresh that was refused for a prerendered page is tried at once when it is opened', async ({
    signedIn,
    open,
    server,
  }) => {
    ;(await signedIn()).close()
    server.clock.advance(1000)
    const { page, fetch: send } = prerendered()
    const session = await open({ fetch: send })
    await session.pull()
    page.isOpened = true
    page.codes.length = 0
    await session.pull()
    // Not first with the stale cookie, as after a server that failed.
    expect(page.codes).toEqual([])
  })
})

vitestTest('a page asks the server when it is opened after it was prerendered', () => {
  const page = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('document', page)
  vi.stubGlobal('addEventListener', () => undefined)
  const wishes: string[] = []
  const sync: Sync = {
    async run(wish) {
      wishes.push(wish())
      return 'live'
    },
    close: () => undefined,
    isClosed: () => false,
  }
  try {
    const lifecycle = createPageLifecycle({ document: { notedAt: 0 } } as TabMirror, Date.now)
    lifecycle.listen(sync, () => undefined)
    page.dispatchEvent(new Event('prerenderingchange'))
    expect(wishes).toEqual(['pull'])
    lifecycle.close()
    page.dispatchEvent(new Event('prerenderingchange'))
    expect(wishes).toEqual(['pull'])
  } finally {
    vi.unstubAllGlobals()
  }
})

describe('a page that says that it is prerendered', () => {
  /** The document of a page that nobody has opened, and what opens it. */
  function stage(onFinished: (end: () => void) => void): () => void {
    const page = Object.assign(new EventTarget(), {
      prerendering: true,
      visibilityState: 'hidden',
      cookie: '',
      getElementById: () => null,
    })
    vi.stubGlobal('document', page)
    vi.stubGlobal('addEventListener', () => undefined)
    onFinished(() => void vi.unstubAllGlobals())
    return () => {
      page.prerendering = false
      page.dispatchEvent(new Event('prerenderingchange'))
    }
  }

  test('no request is made and nothing is written before a prerendered page is opened, then all of it in order', async ({
    signedIn,
    open,
    server,
    onServer,
    onTestFinished,
  }) => {
    const other = await signedIn()
    const before = server.calls.length
    const openPage = stage(onTestFinished)
    const session = await open({ live: false })
    expect([session.get('user'), session.status]).toEqual(['Ada', { state: 'stale', reason: 'unchecked' }])
    const writes = [session.set('note', 'first'), session.set('theme', 'dark'), session.set('note', 'second')]
    const waiting = [session.flush(), session.pull(), session.extend()]
    expect(session.get('note')).toBe('second')
    expect(await waiting[2]).toBe(false)
    await other.pull()
    expect([other.get('note'), other.pending]).toEqual(['', 0])
    expect(server.calls.slice(before).filter((call) => call !== 'GET /session 304')).toEqual([
      'GET /session 200',
    ])
    openPage()
    await Promise.all([...waiting, ...writes.map((write) => write.acknowledged)])
    expect(await onServer((own) => [own.get('note'), own.get('theme')])).toEqual(['second', 'dark'])
    expect(session.status).toEqual({ state: 'live' })
  })

  test('a sign-out in a prerendered page is done when it is opened, and not before', async ({
    signedIn,
    open,
    onServer,
    onTestFinished,
  }) => {
    const other = await signedIn()
    const openPage = stage(onTestFinished)
    const session = await open({ live: false })
    const signedOut = session.signOut()
    await other.pull()
    expect([other.owner, await onServer((own) => own.owner)]).toEqual(['ada', 'ada'])
    openPage()
    expect(await signedOut).toEqual({ server: 'confirmed', device: 'clean' })
    expect(other.owner).toBeNull()
  })

  test('what an owner wrote in a prerendered page is never the next owner’s', async ({
    signedIn,
    open,
    server,
    onServer,
    onTestFinished,
  }) => {
    const other = await signedIn()
    const openPage = stage(onTestFinished)
    const session = await open({ live: false })
    const write = session.set('note', 'of ada')
    await server.change((own) => own.signIn('grace'))
    await other.pull()
    await vi.waitFor(() => expect([session.owner, session.get('note')]).toEqual(['grace', '']))
    openPage()
    await session.known
    await session.flush()
    expect([session.get('note'), await onServer((own) => own.get('note'))]).toEqual(['', ''])
    expect(await write.acknowledged).toEqual({ code: 'discarded' })
  })
})
