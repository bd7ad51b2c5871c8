import { describe, expect, test } from 'vitest'
import { cookieStore, spillStore } from '../../../src/cookie.ts'
import { memoryStore } from '../../../src/memory.ts'
import { createSessions } from '../../../src/server.ts'
import type { CarriedStore } from '../../../src/stores/store.ts'
import { type Browser, code, createBrowser, ignoreError, schema, secrets, watchStore } from '../harness.ts'

function createWorld(make: (clock: () => number) => CarriedStore, options: { secrets?: string[] } = {}) {
  const time = { ms: 1_800_000_000_000 }
  const clock = (): number => time.ms
  const open = (withSecrets: readonly string[]) =>
    createSessions({ schema, secrets: withSecrets, store: make(clock), clock, onError: ignoreError })
  const sessions = open(options.secrets ?? secrets)
  return {
    sessions,
    open,
    browser: () => createBrowser(sessions),
    sleep: (seconds: number) => void (time.ms += seconds * 1000),
  }
}

const inCookie = () => createWorld((clock) => cookieStore({ clock }))
function spilling(tombstones = true) {
  const time = { clock: (): number => 0 }
  const large = watchStore(memoryStore({ clock: () => time.clock() }))
  const world = createWorld((clock) => {
    time.clock = clock
    return spillStore(cookieStore({ clock }), large, { tombstones })
  })
  return { ...world, large }
}

const cart = (length: number): string[] => Array.from({ length }, (_, index) => `thing number ${index}`)
const signIn = (browser: Browser, owner = 'ada'): Promise<void> =>
  browser.app((session) => {
    session.signIn(owner)
    session.set('user', { name: owner })
    session.set('secret', 'the words of the secret')
  })
const nameIn = (browser: Browser): Promise<string | undefined> =>
  browser.app((session) => session.get('user')?.name)
/** The cookie with what is behind its `~` replaced. */
const withParcel = (browser: Browser, change: (parcel: string) => string): Browser => {
  const copy = browser.copy()
  const [front = '', parcel = ''] = copy.cookie.split('~')
  copy.cookie = `${front}~${change(parcel)}`
  return copy
}
const parcelOf = (browser: Browser): string => browser.cookie.split('~')[1] ?? ''

describe('a session in the cookie', () => {
  test('a session in the cookie is there with the next request, and nowhere else', async () => {
    const { browser } = inCookie()
    const mine = browser()
    await signIn(mine)
    expect(await nameIn(mine)).toBe('ada')
    expect(mine.cookie).not.toContain('ada')
    expect(Buffer.from(parcelOf(mine), 'base64url').toString('latin1')).not.toMatch(/ada|secret/)
    expect((await mine.get()).message).toMatchObject({
      owner: 'ada',
      keys: { user: [expect.any(Number), { name: 'ada' }] },
    })
  })

  test('the largest cookie fits into what browsers keep', async () => {
    const { browser } = inCookie()
    const mine = browser()
    let most = 0
    for (let length = 2000; length < 3000; length += 10) {
      try {
        await mine.app((session) => session.set('secret', 'x'.repeat(length)))
        most = length
      } catch (error) {
        expect(error).toEqual(code('too-large'))
      }
    }
    expect(most).toBeGreaterThan(2300)
    expect(mine.cookie.length + '__Host-Http-'.length).toBeLessThan(4096)
    expect((await mine.app((session) => session.get('secret')))?.length).toBe(most)
  })

  test("a cookie with another character is a lost session, and nobody else's", async () => {
    const { browser } = inCookie()
    const mine = browser()
    await signIn(mine)
    const { length } = parcelOf(mine)
    for (let at = 0; at < length; at++) {
      const tampered = withParcel(mine, (parcel) => {
        const other = parcel[at] === 'A' ? 'B' : 'A'
        return parcel.slice(0, at) + other + parcel.slice(at + 1)
      })
      await expect(nameIn(tampered)).rejects.toEqual(code('lost'))
    }
    const others = ['', 'A', 'AAAAAA', `${parcelOf(mine)}A`, parcelOf(mine).slice(0, -1)]
    for (const parcel of others)
      await expect(nameIn(withParcel(mine, () => parcel))).rejects.toEqual(code('lost'))
    // No letter of ours: no cookie of ours.
    for (const parcel of ['~', 'é', '%41'])
      expect(await nameIn(withParcel(mine, () => parcel))).toBeUndefined()
  })

  test('what one cookie carries is of no use to another session', async () => {
    const { browser } = inCookie()
    const [mine, theirs] = [browser(), browser()]
    await signIn(mine, 'ada')
    await signIn(theirs, 'eve')
    await expect(nameIn(withParcel(theirs, () => parcelOf(mine)))).rejects.toEqual(code('lost'))
  })

  test('the cookie is not set again by requests that change nothing', async () => {
    const { browser } = inCookie()
    const mine = browser()
    await signIn(mine)
    const { cookies } = await mine.get()
    expect(cookies).toEqual([])
    const before = mine.cookie
    await nameIn(mine)
    expect(mine.cookie).toBe(before)
  })

  test('a session in the cookie lives as long as it is used, and no longer', async () => {
    const { browser, sleep } = inCookie()
    const mine = browser()
    await signIn(mine)
    const id = mine.cookie.split('.')[2]
    for (let hour = 0; hour < 40; hour++) {
      sleep(3600)
      const { status } = await mine.post('refresh', { epoch: null, owner: null, since: 0 })
      expect(status).toBe(200)
    }
    expect(mine.cookie.split('.')[2]).toBe(id)
    const copy = mine.copy()
    sleep(86_401)
    await expect(nameIn(mine)).resolves.toBeUndefined()
    expect((await copy.get()).code).toBe('expired')
  })

  test('a session in the cookie goes on under a new secret, and ends with the old one', async () => {
    const { open, sleep } = inCookie()
    const [old, fresh] = ['an old secret that is long enough 1', 'a new secret that is long enough 2']
    const mine = createBrowser(open([old]))
    await signIn(mine)
    const left = mine.copy()
    const moving = createBrowser(open([fresh, old]), mine.cookie)
    sleep(10)
    expect(await nameIn(moving)).toBe('ada')
    expect(moving.cookie).not.toBe(mine.cookie)
    const after = open([fresh])
    expect(await nameIn(createBrowser(after, moving.cookie))).toBe('ada')
    expect(await nameIn(createBrowser(after, left.cookie))).toBeUndefined()
  })

  test('a session in the cookie takes a batch once, and remembers what it answered to two browsers', async () => {
    const { browser } = inCookie()
    const mine = browser()
    const visit = { kind: 'increment', key: 'visits', by: 1 } as const
    const first = await mine.sync([visit], { number: 1, client: 'client-one' })
    expect(first.message.outcomes).toEqual([{ code: 'ok', revision: first.message.revision }])
    const { epoch } = first.message
    const again = await mine.sync([visit], { number: 1, client: 'client-one', epoch })
    expect(again.message.outcomes).toEqual(first.message.outcomes)
    expect((await mine.sync([visit], { number: 1, client: 'client-two', epoch })).status).toBe(200)
    expect((await mine.sync([visit], { number: 1, client: 'client-three', epoch })).code).toBe('clients-full')
    expect((await mine.get()).message.keys['visits']?.[1]).toBe(2)
  })

  test('an answer that never arrived has changed nothing, so its batch is taken again', async () => {
    const { browser } = inCookie()
    const mine = browser()
    await signIn(mine)
    const { epoch, owner } = (await mine.get()).message
    const before = mine.cookie
    const visit = { kind: 'increment', key: 'visits', by: 1 } as const
    await mine.sync([visit], { number: 1, epoch, owner })
    mine.cookie = before
    await mine.sync([visit], { number: 1, epoch, owner })
    expect((await mine.get()).message.keys['visits']?.[1]).toBe(1)
  })

  test('the later answer of two requests at once counts, and the mirror is told all of it', async () => {
    const { browser, sleep } = inCookie()
    const mine = browser()
    await signIn(mine)
    const [first, second] = [mine.copy(), mine.copy()]
    await first.app((session) => session.set('theme', 'dark'))
    const known = (await first.get()).message
    sleep(1)
    await second.app((session) => session.set('cart', ['book']))
    const { message } = await second.get(`?since=${known.revision}&epoch=${known.epoch}`)
    expect(message.since).toBeNull()
    expect(Object.keys(message.keys).toSorted()).toEqual(['cart', 'user'])
    expect(message.revision).toBeGreaterThan(known.revision)
  })

  test('no owner has a list of sessions in cookies, and nothing pretends so', async () => {
    const { browser, sessions } = inCookie()
    const mine = browser()
    await signIn(mine)
    for (const asked of [
      sessions.list('ada'),
      sessions.revokeAll('ada'),
      sessions.revoke('ada', 'x'),
      sessions.getById('ada', 'x'),
    ])
      await expect(asked).rejects.toEqual(code('unsupported'))
    const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1', 'content-type': 'application/json' }
    const everywhere = await mine.send('/session?everywhere=1', { method: 'DELETE', headers: own })
    expect(everywhere).toMatchObject({ status: 501, code: 'unsupported', cookies: [] })
    expect(await nameIn(mine)).toBe('ada')
  })

  test('signing out takes the cookie away; a copy works again, as the guarantees say', async () => {
    const { browser, sessions } = inCookie()
    const mine = browser()
    await signIn(mine)
    const copy = mine.copy()
    expect((await mine.signOut()).cookies[0]).toContain('Max-Age=0')
    expect(mine.cookie).toBe('')
    expect(await nameIn(copy)).toBe('ada')
    expect(await sessions.inspect(copy.request('/'))).toMatchObject({ cookie: { state: 'live' } })
  })

  test('a copy that is used goes on after a sign-out until the absolute end, and one that is not until it is idle', async () => {
    const { browser, sleep } = inCookie()
    const mine = browser()
    await signIn(mine)
    const { epoch } = (await mine.get()).message
    const [used, unused] = [mine.copy(), mine.copy()]
    await mine.signOut()
    const refresh = (one: Browser) => one.post('refresh', { epoch, owner: 'ada', since: 0 })
    // The defaults: idle after a day, at its absolute end after thirty.
    for (let half = 1; half < 60; half++) {
      sleep(43_200)
      expect((await refresh(used)).status).toBe(200)
    }
    expect((await refresh(unused)).code).toBe('expired')
    sleep(43_200)
    expect((await refresh(used)).code).toBe('expired')
  })

  test('a session in the cookie has no event stream: nobody but the browser could tell what is new', async () => {
    const { browser } = inCookie()
    const mine = browser()
    await signIn(mine)
    expect(
      (await mine.send('/session/events', { headers: { 'sec-fetch-site': 'same-origin' } })).status,
    ).toBe(204)
  })
})

describe('a store that promises less', () => {
  test('a store that promises less is warned of at the start, with what is lost', async () => {
    const told = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    await told() // Of the tests before.
    const warned: Error[] = []
    const listen = (warning: Error): void => void warned.push(warning)
    process.on('warning', listen)
    inCookie()
    spilling()
    createSessions({ schema, secrets, store: memoryStore() })
    await told()
    process.off('warning', listen)
    expect(warned.map(({ name }) => name)).toEqual(['SessionMirrorWarning', 'SessionMirrorWarning'])
    expect(warned[0]?.message).toMatch(/loses changes.*works after a sign-out/)
    expect(warned[1]?.message).toMatch(/loses changes.*forgets/)
  })
})

describe('a session that spills over', () => {
  test('a small session asks the large store for its end alone', async () => {
    const { browser, large } = spilling()
    const mine = browser()
    await mine.app((session) => session.set('theme', 'dark'))
    large.calls.length = 0
    expect(await mine.app((session) => session.get('theme'))).toBe('dark')
    expect(large.calls).toEqual(['read'])
  })

  test('a small session asks the large store nothing without tombstones', async () => {
    const { browser, large } = spilling(false)
    const mine = browser()
    await mine.app((session) => session.set('theme', 'dark'))
    await mine.app((session) => session.set('cart', ['book']))
    expect(await mine.app((session) => session.get('theme'))).toBe('dark')
    expect(large.calls).toEqual([])
  })

  test('a session moves to the large store when it grows, and back when it shrinks', async () => {
    const { browser } = spilling()
    const mine = browser()
    await signIn(mine)
    const small = mine.cookie.length
    await mine.app((session) => session.set('cart', cart(300)))
    expect(mine.cookie).not.toContain('~')
    expect(await mine.app((session) => session.get('cart').length)).toBe(300)
    expect(await nameIn(mine)).toBe('ada')
    await mine.app((session) => session.set('cart', []))
    expect(mine.cookie).toContain('~')
    expect(mine.cookie.length).toBeLessThan(small + 100)
    expect(await nameIn(mine)).toBe('ada')
  })

  test('a request that is on its way while the id changes with the secret finds it', async () => {
    const { open } = spilling()
    const [old, fresh] = ['an old secret that is long enough 1', 'a new secret that is long enough 2']
    for (const [largest, length] of [
      [300, 300],
      [300, 95],
      [0, 0],
    ] as const) {
      const mine = createBrowser(open([old]))
      await signIn(mine)
      await mine.app((session) => session.set('cart', cart(largest)))
      await mine.app((session) => session.set('cart', cart(length)))
      const moving = createBrowser(open([fresh, old]), mine.cookie)
      const late = moving.copy()
      expect(await nameIn(moving)).toBe('ada')
      expect(moving.cookie).not.toBe(late.cookie)
      expect(await nameIn(late)).toBe('ada')
      expect(await nameIn(moving)).toBe('ada')
    }
  })

  test('two requests that change it at once in the large store lose nothing', async () => {
    const { browser } = spilling()
    const mine = browser()
    await mine.app((session) => session.set('cart', cart(300)))
    await Promise.all(
      Array.from({ length: 20 }, () => mine.copy().app((session) => session.increment('visits'))),
    )
    expect(await mine.app((session) => session.get('visits'))).toBe(20)
  })

  test('a session that was signed out is over, small or large, whoever has a copy', async () => {
    for (const length of [0, 300]) {
      const { browser } = spilling()
      const mine = browser()
      await signIn(mine)
      await mine.app((session) => session.set('cart', cart(length)))
      const copy = mine.copy()
      await mine.signOut()
      expect((await copy.get()).code).toBe('ended')
    }
  })

  test('a request that was running brings nothing back', async () => {
    const { browser, sessions } = spilling()
    const mine = browser()
    await signIn(mine)
    const running = await sessions.load(mine.request('/app'))
    const copy = mine.copy()
    await mine.signOut()
    running.set('theme', 'dark')
    await running.save()
    for (const line of sessions.answer(running, new Response()).headers.getSetCookie())
      copy.cookie = line.split(';')[0] ?? ''
    expect((await copy.get()).code).toBe('ended')
  })

  test('all sessions of an owner end, those in cookies too', async () => {
    const { browser, sessions } = spilling()
    const [one, two] = [browser(), browser()]
    await signIn(one)
    await signIn(two)
    await sessions.revokeAll('ada')
    expect((await one.get()).code).toBe('ended')
    expect((await two.get()).code).toBe('ended')
  })

  test('sessions of an owner end with their next renewed cookie where there are no tombstones', async () => {
    const { browser, sessions, sleep } = spilling(false)
    const one = browser()
    await signIn(one)
    sleep(1)
    await sessions.revokeAll('ada')
    expect(await nameIn(one)).toBe('ada')
    sleep(901)
    const { status, code: told } = await one.post('refresh', { epoch: null, owner: null, since: 0 })
    expect([status, told]).toEqual([401, 'ended'])
  })

  test("a large store that is away is 503, and takes nobody's cookie", async () => {
    const { browser, large } = spilling()
    const mine = browser()
    await signIn(mine)
    const before = mine.cookie
    large.broken = true
    expect(await mine.get()).toMatchObject({ status: 503, code: 'store-unavailable', cookies: [] })
    await expect(mine.app((session) => session.set('theme', 'dark'))).rejects.toEqual(
      code('store-unavailable'),
    )
    large.broken = false
    expect(mine.cookie).toBe(before)
    expect(await nameIn(mine)).toBe('ada')
  })

  test('a change that cannot move leaves the session as it was', async () => {
    const { browser, large } = spilling(false)
    const mine = browser()
    await mine.app((session) => session.set('theme', 'dark'))
    const before = mine.cookie
    large.broken = true
    await expect(mine.app((session) => session.set('cart', cart(300)))).rejects.toEqual(
      code('store-unavailable'),
    )
    expect(mine.cookie).toBe(before)
    expect(await mine.app((session) => session.get('cart'))).toEqual([])
  })
})
