// `sessions.watch`: what a long connection hears of its session, and when.
import { describe, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type Feed, type WatchEnd, localFeed } from '../../../src/server.ts'
import { wrapStore } from '../../../src/stores/wrapped-store.ts'
import { type Browser, type World, code, createWorld, ignoreError, watchStore } from '../harness.ts'

interface Heard {
  readonly changes: string[]
  readonly ends: WatchEnd[]
}

/** Watches the session of a browser, and writes down what is told. */
function listen(world: World, browser: Browser): Heard & { close(): void } {
  const heard: Heard = { changes: [], ends: [] }
  const watch = world.sessions.watch(browser.request('/socket'), {
    onChange: (session) => heard.changes.push(session.get('theme')),
    onEnd: (reason) => heard.ends.push(reason),
  })
  return { ...heard, close: () => watch.close() }
}

/** Until it is watched: the first looks of a watch are in memory, and done in this turn. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld({ onError: ignoreError, ...options })
  const browser = world.browser()
  await browser.app((session) => session.signIn('ada'))
  return { world, browser }
}

describe('the end of a watched session', () => {
  test.each<[string, (world: World, browser: Browser) => Promise<unknown>]>([
    ['its browser signs out', (_world, browser) => browser.signOut()],
    ['the app destroys it', (_world, browser) => browser.app((session) => session.destroy())],
    [
      'it signs out everywhere',
      (_world, browser) => browser.app((session) => session.destroy({ everywhere: true })),
    ],
    ['all sessions of its owner are revoked', (world) => world.sessions.revokeAll('ada')],
    ['its browser signs in again', (_world, browser) => browser.app((session) => session.signIn('bob'))],
    ['it is regenerated', (_world, browser) => browser.app((session) => session.regenerate())],
  ])('the end is told once, in this process at once, when %s', async (_name, end) => {
    const { world, browser } = await signedIn()
    const heard = listen(world, browser)
    await settled()
    const before = Date.now()
    await end(world, browser.copy())
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']), { interval: 1 })
    expect(Date.now() - before).toBeLessThan(100)
    await world.sessions.revokeAll('ada')
    await settled()
    expect(heard.ends).toEqual(['ended'])
  })

  test('the end of one revoked session is told to those who watch it alone', async () => {
    const { world, browser } = await signedIn()
    const other = world.browser()
    await other.app((session) => session.signIn('ada'))
    const [one, another] = [listen(world, browser), listen(world, other)]
    await settled()
    const id = await browser.app((session) => session.epoch)
    await world.sessions.revoke('ada', id ?? '')
    await vi.waitFor(() => expect(one.ends).toEqual(['ended']))
    expect(another.ends).toEqual([])
    another.close()
  })

  test('an end in another process is told within one heartbeat', async () => {
    const store = memoryStore()
    const { world, browser } = await signedIn({ store, clock: Date.now, heartbeatSeconds: 1 })
    const heard = listen(world, browser)
    await settled()
    const elsewhere = createWorld({ store, clock: Date.now })
    await elsewhere.sessions.revokeAll('ada')
    expect(heard.ends).toEqual([])
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']), { timeout: 2000 })
  })

  test('the end of a session by time is told as expired', async () => {
    const { world, browser } = await signedIn({ heartbeatSeconds: 1 })
    const heard = listen(world, browser)
    await settled()
    world.sleep(400 * 86_400)
    await vi.waitFor(() => expect(heard.ends).toEqual(['expired']), { timeout: 3000 })
  })

  test.each([
    ['none', async () => undefined],
    [
      'ended',
      (browser: Browser) =>
        browser.app((session) => session.signIn('ada')).then(() => browser.copy().signOut()),
    ],
  ] as const)('a request whose session is not there is told so: %s', async (reason, before) => {
    const world = createWorld()
    const browser = world.browser()
    await before(browser)
    const heard = listen(world, browser)
    await vi.waitFor(() => expect(heard.ends).toEqual([reason]))
  })
})

describe('a change of a watched session', () => {
  test('changes by browser and app are told, with the session as it is now', async () => {
    const { world, browser } = await signedIn()
    const heard = listen(world, browser)
    await settled()
    expect(heard.changes).toEqual([])
    await browser.app((session) => session.set('theme', 'dark'))
    await vi.waitFor(() => expect(heard.changes).toEqual(['dark']))
    await browser.app((session) => session.set('theme', 'blue'))
    await vi.waitFor(() => expect(heard.changes).toEqual(['dark', 'blue']))
    heard.close()
  })

  test('a change between reading a session and watching it is told', async () => {
    const { world, browser } = await signedIn()
    const session = await world.sessions.load(browser.request('/socket'))
    await browser.app((own) => own.set('theme', 'dark'))
    const changes: string[] = []
    const watch = world.sessions.watch(session, { onChange: (now) => changes.push(now.get('theme')) })
    await vi.waitFor(() => expect(changes).toEqual(['dark']))
    watch.close()
  })

  test('the session that is told can be changed and saved', async () => {
    const { world, browser } = await signedIn()
    const saved: Promise<unknown>[] = []
    const watch = world.sessions.watch(browser.request('/socket'), {
      onChange(session) {
        if (session.get('user') !== undefined) return
        session.set('user', { name: session.get('theme') })
        saved.push(session.save())
      },
    })
    await settled()
    await browser.app((session) => session.set('theme', 'dark'))
    await vi.waitFor(() => expect(saved).toHaveLength(1))
    await saved[0]
    expect(await browser.app((session) => session.get('user'))).toEqual({ name: 'dark' })
    watch.close()
  })

  test('a rotated session is watched on, and a stale cookie can be watched', async () => {
    const { world, browser } = await signedIn()
    // The session moves to another id at the next refresh, and its cookie is stale.
    world.sleep(4000)
    const heard = listen(world, browser)
    await settled()
    const before = browser.cookie
    expect((await browser.post('refresh', { epoch: null, owner: null, since: 0 })).status).toBe(200)
    expect(browser.cookie.slice(0, 30)).not.toBe(before.slice(0, 30))
    await browser.app((session) => session.set('theme', 'dark'))
    await vi.waitFor(() => expect([heard.changes, heard.ends]).toEqual([['dark'], []]))
    await browser.signOut()
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']))
  })
})

describe('many watches of one session', () => {
  test('a thousand watches of one session are all told, by one read of the store for each change', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store, clock: Date.now })
    const session = await world.sessions.read(browser.request('/socket'))
    const told = { changes: 0, ends: 0 }
    for (let watch = 0; watch < 1000; watch++)
      world.sessions.watch(session, { onChange: () => told.changes++, onEnd: () => told.ends++ })
    await settled()
    const own = browser.copy()
    const before = store.calls.filter((call) => call === 'read').length
    await own.app((one) => one.set('theme', 'dark'))
    await vi.waitFor(() => expect(told.changes).toBe(1000))
    await own.signOut()
    await vi.waitFor(() => expect(told.ends).toBe(1000))
    expect(store.calls.filter((call) => call === 'read').length - before).toBeLessThan(20)
  })

  test('a change during a look is not missed by those who are woken while it is under way', async () => {
    const inner = memoryStore()
    const gate = { waiting: [] as (() => void)[], isClosed: false }
    const store = wrapStore(inner, async ({ operation }, run) => {
      const answer = await run()
      if (operation === 'read' && gate.isClosed)
        await new Promise<void>((resolve) => gate.waiting.push(resolve))
      return answer
    })
    const feed = localFeed()
    const { world, browser } = await signedIn({ store, feed, clock: Date.now })
    const elsewhere = createWorld({ store: inner, clock: Date.now })
    const session = await world.sessions.read(browser.request('/socket'))
    const heard = listen(world, browser)
    await settled()
    const epoch = await elsewhere.sessions.list('ada').then(([one]) => one?.id ?? '')
    gate.isClosed = true
    const ends: WatchEnd[] = []
    world.sessions.watch(session, { onEnd: (reason) => ends.push(reason) })
    await vi.waitFor(() => expect(gate.waiting.length).toBe(1))
    // That look has read the session as it was. Now it ends, and whoever is woken must not take part in the old look.
    await elsewhere.sessions.revokeAll('ada')
    feed.publish(epoch)
    await settled()
    gate.isClosed = false
    for (const open of gate.waiting) open()
    await vi.waitFor(() => expect([heard.ends, ends]).toEqual([['ended'], ['ended']]))
  })
})

describe('a store that is away', () => {
  test('a store that is away ends nothing, and what happened meanwhile is told when it is back', async () => {
    const inner = memoryStore()
    const store = watchStore(inner)
    const { world, browser } = await signedIn({ store, clock: Date.now, heartbeatSeconds: 1 })
    const heard = listen(world, browser)
    await settled()
    store.broken = true
    const reads = store.calls.length
    await createWorld({ store: inner, clock: Date.now }).sessions.revokeAll('ada')
    await vi.waitFor(() => expect(store.calls.length).toBeGreaterThan(reads), { timeout: 3000 })
    expect(heard.ends).toEqual([])
    store.broken = false
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']), { timeout: 3000 })
  })

  test('a store that is away when the watch begins is asked again', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store, clock: Date.now, heartbeatSeconds: 1 })
    store.broken = true
    const heard = listen(world, browser)
    await settled()
    store.broken = false
    const reads = store.calls.length
    await vi.waitFor(() => expect(store.calls.length).toBeGreaterThan(reads + 1), { timeout: 3000 })
    await browser.signOut()
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']))
  })
})

describe('a watch that is closed', () => {
  test('a closed watch tells nobody, and leaves nothing behind', async () => {
    const subscribed = new Set<() => void>()
    const local = localFeed()
    const feed: Feed = {
      publish: (topic) => local.publish(topic),
      subscribe(topic, wake) {
        subscribed.add(wake)
        const leave = local.subscribe(topic, wake)
        return () => {
          subscribed.delete(wake)
          leave()
        }
      },
    }
    const { world, browser } = await signedIn({ feed })
    const heard = listen(world, browser)
    await settled()
    expect(subscribed.size).toBe(1)
    heard.close()
    heard.close()
    expect(subscribed.size).toBe(0)
    await browser.signOut()
    await settled()
    expect([heard.changes, heard.ends]).toEqual([[], []])
  })

  test('a watch that is closed before the store has answered never begins', async () => {
    const { world, browser } = await signedIn()
    const heard = listen(world, browser)
    heard.close()
    await browser.signOut()
    await settled()
    expect(heard.ends).toEqual([])
  })
})

test('wrong options of a watch are refused at once', () => {
  const world = createWorld()
  const request = world.browser().request('/socket')
  expect(() => world.sessions.watch(request, { onend: () => undefined } as never)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining('onEnd') }),
  )
  expect(() => world.sessions.watch(request, { onEnd: 'close' } as never)).toThrow(
    code('invalid-option') as Error,
  )
})

describe('a mark, and a session that nobody refreshes', () => {
  /** A watched session. `look` makes its followers look at it, `seconds` later; `forget` empties the store of lists. */
  async function follow() {
    const feed = localFeed()
    const box = { inner: memoryStore() }
    const lists = watchStore({
      ...box.inner,
      read: (...given) => box.inner.read(...given),
      create: (...given) => box.inner.create(...given),
      replace: (...given) => box.inner.replace(...given),
      end: (...given) => box.inner.end(...given),
    })
    const forget = (): void => void (box.inner = memoryStore())
    const { world, browser } = await signedIn({ feed, lists })
    const epoch = await browser.app((session) => session.epoch ?? '')
    const heard = listen(world, browser)
    const answer = await world.sessions.handle(browser.request('/session/events'))
    const stream = answer?.body as AsyncIterable<string>
    await settled()
    world.sleep(10)
    const look = async (seconds: number): Promise<void> => {
      world.sleep(seconds)
      feed.publish(epoch)
      await settled()
    }
    return { world, browser, heard, stream, lists, look, forget }
  }

  const whoIs = (browser: Browser) => browser.app((session) => session.owner ?? String(session.missing))

  test('revokeEverybody is told to who only watches within half of freshSeconds, and the session has ended', async () => {
    const { world, browser, heard, look } = await follow()
    await world.sessions.revokeEverybody()
    await look(451)
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']))
    expect(await whoIs(browser)).toBe('ended')
  })

  test('revokeAll on a forgotten list is told to who only watches, too', async () => {
    const { world, heard, look, forget } = await follow()
    forget()
    expect((await world.sessions.revokeAll('ada')).ended).toBe(0)
    await look(400)
    expect(heard.ends).toEqual([])
    await look(51)
    await vi.waitFor(() => expect(heard.ends).toEqual(['ended']))
  })

  test('an event stream ends by that mark, too, and shows nothing after it', async () => {
    const { world, heard, stream, look } = await follow()
    heard.close()
    const events = stream[Symbol.asyncIterator]()
    expect((await events.next()).value).toContain('retry')
    expect((await events.next()).value).toContain('event: patch')
    const next = events.next()
    await world.sessions.revokeEverybody()
    await look(451)
    let event = await next
    while (event.value?.startsWith(':') === true) event = await events.next()
    expect(event.value).toContain('event: ended')
  })

  test('a watch alone does not note a use, and asks for marks once in half of freshSeconds', async () => {
    const { world, heard, lists, look } = await follow()
    const [before] = await world.sessions.list('ada')
    lists.calls.length = 0
    for (let index = 0; index < 10; index++)
      // oxlint-disable-next-line no-await-in-loop -- one look after another
      await look(60)
    expect(lists.calls).toHaveLength(2)
    expect((await world.sessions.list('ada'))[0]?.lastUsed).toEqual(before?.lastUsed)
    expect(heard.ends).toEqual([])
    heard.close()
  })

  test('a store of lists that is away ends nobody', async () => {
    const feed = localFeed()
    const away = { isWanted: false }
    const lists = wrapStore(memoryStore(), (_call, run) =>
      away.isWanted ? Promise.resolve({ kind: 'unavailable', cause: new Error('away') } as never) : run(),
    )
    const { world, browser } = await signedIn({ feed, lists })
    const heard = listen(world, browser)
    await settled()
    away.isWanted = true
    world.sleep(451)
    await browser.app((session) => session.set('theme', 'dark'))
    await vi.waitFor(() => expect(heard.changes).toEqual(['dark']))
    expect(heard.ends).toEqual([])
    expect(await whoIs(browser)).toBe('ada')
    heard.close()
  })
})
