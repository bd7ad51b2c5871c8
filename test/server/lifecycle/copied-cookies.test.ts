// Two rules at once: who follows with a copy of a cookie is found out, at any pace; and a browser that was killed before
// its new cookie was on its disk comes back signed in, whenever that was.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { counts } from '../../support/counts.ts'
import { randomOf } from '../../support/random.ts'
import { type Browser, type Reply, type World, createBrowser, createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }
const rotateSeconds = 3600
const graceSeconds = 60
/** Chromium writes its cookies to the disk so often. */
const flushSeconds = 30

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

/** What the SDK does: a pull, after a refresh where the cookie needs one. */
async function use(browser: Browser): Promise<Reply> {
  const reply = await browser.get()
  const isStale = reply.code === 'stale'
  if (!isStale) return reply
  const refreshed = await browser.post('refresh', nothing)
  return refreshed.status === 200 && refreshed.cookies.length > 0 ? browser.get() : refreshed
}

const sidOf = (browser: Browser): string => browser.cookie.split('.')[2] ?? ''

/** Somebody who uses the session in even steps. */
interface Follower {
  readonly browser: Browser
  readonly paceSeconds: number
  nextAt: number
}

/** Owner and thief go on until one of them is told `reuse`; answers who was alive at the end, and when that was. */
async function follow(
  world: World,
  { owner, thief, seconds }: { owner: Follower; thief: Follower; seconds: number },
): Promise<{ readonly codes: readonly string[]; readonly endedAt: number | undefined }> {
  const begin = world.now()
  while (world.now() - begin < seconds) {
    const next = owner.nextAt <= thief.nextAt ? owner : thief
    if (next.nextAt > world.now()) world.sleep(next.nextAt - world.now())
    // oxlint-disable-next-line no-await-in-loop -- one after another
    const reply = await use(next.browser)
    if (reply.status !== 200 && reply.code !== 'stale') {
      const codes = [(await owner.browser.get()).code, (await thief.browser.get()).code]
      return { codes, endedAt: world.now() - begin }
    }
    next.nextAt += next.paceSeconds
  }
  return { codes: [], endedAt: undefined }
}

describe('a copied cookie', () => {
  const paces = [1, 2, 7, 20, 45, 59, 60, 61, 90, 200, 450, 899, 1800, 3600]
  const table = paces.flatMap((thief) => [5, 45, 300, 1700, 4000].map((owner) => [thief, owner] as const))
  test.each(table)(
    'a thief who uses a copy every %i s beside an owner who is there every %i s is out after the next rotation, and it is told',
    async (thiefPace, ownerPace) => {
      for (const offset of [0, 0.5]) {
        const { world, browser } = await signedIn({ rotateSeconds, idleTimeoutSeconds: 86_400 })
        const thief = { browser: browser.copy(), paceSeconds: thiefPace, nextAt: world.now() + thiefPace }
        const start = world.now() + Math.ceil(ownerPace * offset) + 1
        const owner = { browser, paceSeconds: ownerPace, nextAt: start }
        const { codes, endedAt } = await follow(world, { owner, thief, seconds: 40_000 })
        expect(codes, `offset ${offset}`).toEqual(['reuse', 'reuse'])
        // The rotation, with the cookie after that; one that was kept; the grace; the next use of both.
        const slack = 900 + 60 + graceSeconds + 2 * (ownerPace + thiefPace)
        expect(endedAt, `offset ${offset}`).toBeLessThanOrEqual(rotateSeconds + slack)
      }
    },
  )

  test('an owner who does not come back is the only one who is not told: the thief then has the one cookie', async () => {
    const { world, browser } = await signedIn()
    const thief = browser.copy()
    world.sleep(rotateSeconds)
    await browser.post('refresh', nothing)
    world.sleep(1000)
    expect(await use(thief)).toMatchObject({ status: 200 })
    // At the first use by its owner both are out.
    world.sleep(61)
    expect((await browser.get()).code).toBe('reuse')
    expect((await thief.get()).code).toBe('reuse')
  })

  test('no answer but that of the rotation has its cookie', async () => {
    const { world, browser } = await signedIn()
    const thief = browser.copy()
    world.sleep(rotateSeconds)
    await browser.post('refresh', nothing)
    for (let second = 0; second < 60; second++) {
      const ways = [
        () => thief.get(),
        () => thief.post('refresh', nothing),
        () => thief.app((session) => session.get('theme'), { 'sec-fetch-mode': 'navigate' }),
      ]
      await ways[second % ways.length]?.()
      expect(sidOf(thief)).not.toBe(sidOf(browser))
      world.sleep(1)
    }
  })
})

describe('a browser that is killed', () => {
  const step = counts.killedEverySeconds
  const seconds = Array.from({ length: 120 / step + 1 }, (_, index) => index * step)
  test.each([60, 3600, 86_000])(
    'a browser that is killed after a rotation, whenever that is, and comes back %i s later, is signed in and meets no alarm',
    async (away) => {
      for (const killedAt of seconds) {
        const { world, browser } = await signedIn({ idleTimeoutSeconds: 172_800 })
        world.sleep(rotateSeconds)
        const history = [{ at: -flushSeconds, cookie: browser.cookie }]
        await browser.post('refresh', nothing)
        history.push({ at: 0, cookie: browser.cookie })
        for (let second = 1; second <= killedAt; second++) {
          world.sleep(1)
          if (second % 5 === 0) await browser.get()
          history.push({ at: second, cookie: browser.cookie })
        }
        // What was on the disk is at most 30 s old.
        browser.cookie = history.findLast(({ at }) => at <= killedAt - flushSeconds)?.cookie ?? ''
        world.sleep(away)
        for (let round = 0; round < 200; round++) {
          const reply = await use(browser)
          expect([reply.status, reply.message.owner], `killed at ${killedAt} s`).toEqual([200, 'alice'])
          world.sleep(round < 30 ? 7 : 400)
        }
      }
    },
  )

  test('again and again, before each new cookie was on its disk, keeps its session', async () => {
    const { world, browser } = await signedIn({ idleTimeoutSeconds: 86_400 })
    world.sleep(rotateSeconds)
    const old = browser.cookie
    for (let time = 0; time < 40; time++) {
      browser.cookie = old
      expect((await use(browser)).message.owner).toBe('alice')
      world.sleep(10)
      expect((await use(browser)).message.owner).toBe('alice')
      world.sleep(1000)
    }
  })
})

describe('what comes with an old id while nothing is wrong', () => {
  test('tabs and worker that come with it are served for the grace time, and take the new cookie from nobody', async () => {
    const { world, browser } = await signedIn()
    world.sleep(rotateSeconds)
    const old = browser.copy()
    await browser.post('refresh', nothing)
    for (let second = 0; second <= graceSeconds; second += 5) {
      const tab = old.copy()
      expect((await tab.post('refresh', nothing)).status).toBe(200)
      expect((await tab.get()).message.owner).toBe('alice')
      world.sleep(5)
    }
    // The jar of the browser may hold either of them in the end.
    for (const last of [browser, old]) {
      const copy = createBrowser(world.sessions, last.cookie)
      expect((await use(copy)).message.owner).toBe('alice')
    }
  })

  test('a stale cookie whose answer was lost is refreshed in the next second', async () => {
    const { world, browser } = await signedIn()
    world.sleep(rotateSeconds)
    await browser.copy().post('refresh', nothing)
    world.sleep(1)
    expect((await browser.post('refresh', nothing)).cookies).toHaveLength(1)
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('a cookie that an old id got back in its grace time is no longer good for ever: the copy is out as before', async () => {
    const { world, browser } = await signedIn()
    world.sleep(rotateSeconds)
    const thief = browser.copy()
    await browser.post('refresh', nothing)
    world.sleep(30)
    expect((await thief.post('refresh', nothing)).cookies).toHaveLength(1)
    world.sleep(30)
    await browser.get()
    world.sleep(61)
    expect((await thief.get()).code).toBe('reuse')
  })

  test('two servers of one store tell the same of an old id', async () => {
    const time = { milliseconds: 1_800_000_000_000 }
    const clock = (): number => time.milliseconds
    const store = memoryStore({ clock })
    const [one, two] = [createWorld({ store, clock }), createWorld({ store, clock })]
    const browser = one.browser()
    await browser.app((session) => session.signIn('alice'))
    time.milliseconds += rotateSeconds * 1000
    const thief = createBrowser(two.sessions, browser.cookie)
    await browser.post('refresh', nothing)
    time.milliseconds += 100_000
    // The cookie of the browser was not seen yet: it may have lost it.
    expect((await thief.post('refresh', nothing)).cookies).toHaveLength(1)
    expect((await browser.get()).status).toBe(200)
    time.milliseconds += 61_000
    expect((await createBrowser(two.sessions, browser.cookie).get()).code).toBe('reuse')
    expect((await thief.get()).code).toBe('reuse')
  })

  test.each(['the old id', 'the id that was retired', 'the present id'])(
    'a sign-out with %s ends the session for all three',
    async (which) => {
      const { world, browser } = await signedIn()
      world.sleep(rotateSeconds)
      const old = browser.copy()
      const retired = browser.copy()
      await retired.post('refresh', nothing)
      world.sleep(100)
      await browser.post('refresh', nothing)
      expect(new Set([old, retired, browser].map(sidOf)).size).toBe(3)
      const jars = { 'the old id': old, 'the id that was retired': retired, 'the present id': browser }
      const signingOut = Object.entries(jars)
        .find(([name]) => name === which)?.[1]
        .copy()
      expect((await signingOut?.signOut())?.status).toBe(200)
      for (const jar of [old, retired, browser]) expect((await jar.get()).code).toBe('ended')
    },
  )
})

describe('stories of random paces and kills', () => {
  /** A browser whose cookie is on its disk after 0 to 30 seconds, and that is used and killed at any moment. */
  class StoredBrowser {
    readonly browser: Browser
    readonly #random: () => number
    #history: { readonly at: number; readonly cookie: string }[]

    constructor(browser: Browser, now: number, random: () => number) {
      this.browser = browser
      this.#random = random
      // It was closed as people close it, with its cookie.
      this.#history = [{ at: now - flushSeconds, cookie: browser.cookie }]
    }

    async use(now: number): Promise<Reply> {
      const reply = await use(this.browser)
      this.#history = [...this.#history.slice(-20), { at: now, cookie: this.browser.cookie }]
      return reply
    }

    kill(now: number): void {
      const flushedAt = now - this.#random() * flushSeconds
      const cookie = this.#history.findLast(({ at }) => at <= flushedAt)?.cookie
      if (cookie === undefined) throw new Error('Nothing was ever written to the disk.')
      this.browser.cookie = cookie
      this.#history = [{ at: now - flushSeconds, cookie }]
    }
  }

  /** Seconds until somebody comes again: often some, at times many minutes. */
  const pauseOf = (random: () => number): number =>
    1 + Math.floor(random() < 0.7 ? random() * 60 : random() * 3000)

  const seeds = Array.from({ length: counts.rotationStories }, (_, index) => index)

  test(`a browser that is killed at random moments is always signed in, in ${seeds.length} stories`, async () => {
    for (const seed of seeds) {
      const random = randomOf(seed)
      const { world, browser } = await signedIn({ rotateSeconds, idleTimeoutSeconds: 86_400 })
      const owner = new StoredBrowser(browser, world.now(), random)
      for (let step = 0; step < 150; step++) {
        world.sleep(pauseOf(random))
        if (random() < 0.15) owner.kill(world.now())
        const reply = await owner.use(world.now())
        expect([reply.status, reply.message.owner], `seed ${seed}, step ${step}`).toEqual([200, 'alice'])
      }
    }
  })

  test(`a thief beside such a browser is out after three rotations, in ${seeds.length} stories`, async () => {
    for (const seed of seeds) {
      const random = randomOf(seed)
      const { world, browser } = await signedIn({ rotateSeconds, idleTimeoutSeconds: 86_400 })
      const owner = new StoredBrowser(browser, world.now(), random)
      // The copy is made at some time in the session's life.
      for (let step = Math.floor(random() * 30); step > 0; step--) {
        world.sleep(pauseOf(random))
        await owner.use(world.now())
      }
      const thief = browser.copy()
      const stolenAt = world.now()
      let isOut = false
      while (!isOut && world.now() - stolenAt < 4 * (rotateSeconds + 3000)) {
        world.sleep(Math.ceil(pauseOf(random) / 2))
        const isOwner = random() < 0.5
        if (isOwner && random() < 0.1) owner.kill(world.now())
        const reply = isOwner ? await owner.use(world.now()) : await use(thief)
        isOut = reply.code === 'reuse' || reply.code === 'ended'
      }
      expect(isOut, `seed ${seed}`).toBe(true)
      expect((await use(thief)).status, `seed ${seed}`).not.toBe(200)
    }
  })
})
