// The sign-out race, on a real memcached and between two servers: whatever runs at the moment of a sign-out, no
// cookie that anybody ever got brings the session back.
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test as base } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { SessionError } from '../../../src/server.ts'
import type { Sessions } from '../../../src/server.ts'
import type { ReplaceResult, Store } from '../../../src/stores/store.ts'
import { counts } from '../../support/counts.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { type Browser, type Reply, type Schema, createBrowser, createWorld } from '../harness.ts'

const rounds = counts.signOutRaces
/** Enough to keep both servers busy, and few enough that a trip to the store stays as short as the pauses. */
const atOnce = 20
/** Half of the fresh time and all of the id's: a read renews the cookie, a refresh gives a new id. */
const timeToRace = 500

/** Two servers on one memcached, under one clock. */
class Servers {
  readonly all: readonly [Sessions<Schema>, Sessions<Schema>]
  readonly #stores: readonly Store[]
  #milliseconds = 1_800_000_000_000
  #conflicts = 0

  constructor(memcached: Memcached) {
    const [one, two] = [this.#openStore(memcached), this.#openStore(memcached)]
    this.#stores = [one, two]
    this.all = [this.#start(one), this.#start(two)]
  }

  /** How many replacements of a session met another one in the store. */
  get conflicts(): number {
    return this.#conflicts
  }

  /** Either of the two: a browser's requests go to whichever is free. */
  any(): Sessions<Schema> {
    return this.all[Math.random() < 0.5 ? 0 : 1]
  }

  sleep(seconds: number): void {
    this.#milliseconds += seconds * 1000
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()))
  }

  #openStore(memcached: Memcached): Store {
    // A busy test machine must not look like a store that is away.
    const inner = memcachedStore({ servers: memcached.address, timeoutMilliseconds: 5000 })
    return {
      ...inner,
      replace: async (key, ...rest): Promise<ReplaceResult> => {
        const replaced = await inner.replace(key, ...rest)
        // Of sessions, not of the lists of their owners.
        if (replaced.kind === 'conflict' && key.startsWith('sm1:')) this.#conflicts++
        return replaced
      },
    }
  }

  #start(store: Store): Sessions<Schema> {
    return createWorld({ store, clock: () => this.#milliseconds, rotateSeconds: 400 }).sessions
  }
}

const test = base
  .extend('memcached', { scope: 'file' }, async ({}, { onCleanup }): Promise<Memcached> => {
    const memcached = await startMemcached()
    onCleanup(() => memcached.kill())
    return memcached
  })
  .extend('servers', ({ memcached }, { onCleanup }): Servers => {
    const servers = new Servers(memcached)
    onCleanup(() => servers.close())
    return servers
  })

/** A random moment within `milliseconds`. Timers are too coarse: they would hit the same few moments. */
async function moment(milliseconds: number): Promise<void> {
  const until = performance.now() + Math.random() * milliseconds
  while (performance.now() < until) await turn()
}

interface Signed {
  readonly cookie: string
  readonly epoch: string
  /** Another one for each race: the list of one owner's sessions is limited. */
  readonly owner: string
}

async function signIn(servers: Servers): Promise<Signed> {
  const browser = createBrowser(servers.any())
  const owner = crypto.randomUUID()
  await browser.app((session) => {
    session.set('user', { name: owner })
    session.signIn(owner)
  })
  const { message } = await browser.get()
  return { cookie: browser.cookie, epoch: message.epoch ?? '', owner }
}

/** What a rival of the sign-out was told, and every cookie that it was given. */
interface Told {
  readonly isEnded: boolean
  readonly cookies: readonly string[]
}
type Rival = (servers: Servers, signed: Signed) => Promise<Told>

/** A route of the app for people who are signed in. It gives the session's theme another value, if it is given one. */
async function app(sessions: Sessions<Schema>, { cookie, owner }: Signed, theme?: string): Promise<Told> {
  try {
    const session = await sessions.load(createBrowser(sessions, cookie).request('/app'))
    const isEnded = session.owner !== owner
    await moment(2)
    if (theme !== undefined && !isEnded) session.set('theme', theme)
    await session.save()
    const cookies = sessions.answer(session, new Response()).headers.getSetCookie()
    return { isEnded, cookies: pairsOf(cookies) }
  } catch (error) {
    if (error instanceof SessionError && error.code === 'ended') return { isEnded: true, cookies: [] }
    throw error
  }
}

const batch: Rival = async (servers, signed) =>
  toTold(await sync(createBrowser(servers.any(), signed.cookie), signed))

/** And the new cookie is used at once: the first use of a new id is written down in the record. */
const refresh: Rival = async (servers, { cookie, epoch, owner }) => {
  const browser = createBrowser(servers.any(), cookie)
  const refreshed = toTold(await browser.post('refresh', { epoch, owner, since: 0 }))
  if (refreshed.isEnded) return refreshed
  const read = toTold(await createBrowser(servers.any(), browser.cookie).get())
  return { isEnded: read.isEnded, cookies: [...refreshed.cookies, ...read.cookies] }
}

function sync(browser: Browser, { epoch, owner }: Signed): Promise<Reply> {
  const mutation = { kind: 'set', key: 'theme', value: 'back' } as const
  return browser.sync([mutation], { epoch, owner, client: crypto.randomUUID() })
}

function toTold({ status, code, cookies }: Reply): Told {
  if (status !== 200 && code !== 'ended') throw new Error(`The rival got ${status} ${code}.`)
  return { isEnded: code === 'ended', cookies: pairsOf(cookies) }
}

function pairsOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.split(';')[0] ?? '').filter((pair) => !pair.endsWith('='))
}

/** Every way in which a cookie could show a live session, or write one. Empty: it is dead. */
async function signsOfLife(servers: Servers, cookie: string, signed: Signed): Promise<string[]> {
  const { epoch, owner } = signed
  const signs: string[] = []
  for (const sessions of servers.all) {
    const browser = createBrowser(sessions, cookie)
    const replies = [
      await browser.get(),
      await sync(browser, signed),
      await browser.post('refresh', { epoch, owner, since: 0 }),
    ]
    for (const { status, code, cookies, body } of replies) {
      if (status !== 401 || code !== 'ended' || cookies.length > 0) signs.push(`${status} ${body}`)
    }
    const session = await sessions.load(createBrowser(sessions, cookie).request('/app'))
    const seen = [session.missing, session.owner, session.epoch, session.keys().length]
    if (String(seen) !== 'ended,,,0') signs.push(`loaded ${String(seen)}`)
  }
  return signs
}

interface Raced {
  readonly told: Told
  readonly signs: readonly string[]
}

/** Within how many milliseconds each of the two begins, at a random moment. */
interface Starts {
  readonly rival: number
  readonly signOut: number
}

async function race(servers: Servers, signed: Signed, rival: Rival, starts: Starts): Promise<Raced> {
  const signOut = async (): Promise<void> => {
    await moment(starts.signOut)
    const reply = await createBrowser(servers.any(), signed.cookie).signOut()
    if (reply.status !== 200) throw new Error(`The sign-out got ${reply.status} ${reply.code}.`)
  }
  const [told] = await Promise.all([moment(starts.rival).then(() => rival(servers, signed)), signOut()])
  const cookies = [...new Set([signed.cookie, ...told.cookies])]
  const signs = await Promise.all(cookies.map((cookie) => signsOfLife(servers, cookie, signed)))
  return { told, signs: signs.flat() }
}

/**
 * Races as often as it must, and on until it has seen each of the two come first. On a busy machine one of them may take
 * so long that it always comes second: then the other one begins later and later.
 */
async function raceAll(servers: Servers, rival: Rival): Promise<readonly Raced[]> {
  const raced: Raced[] = []
  const starts = { rival: 2, signOut: 4 }
  for (;;) {
    const signed = await Promise.all(Array.from({ length: atOnce }, () => signIn(servers)))
    servers.sleep(timeToRace)
    raced.push(...(await Promise.all(signed.map((each) => race(servers, each, rival, starts)))))
    const refused = raced.filter(({ told }) => told.isEnded).length
    if (refused === 0) starts.rival *= 1.5
    else if (refused === raced.length) starts.signOut *= 1.5
    else if (raced.length >= rounds) return raced
  }
}

describe('on memcached, a sign-out among the requests of two servers stays one', () => {
  const rivals: readonly (readonly [string, Rival])[] = [
    ['a read that renews the cookie', (servers, signed) => app(servers.any(), signed)],
    ['a write that takes its time', (servers, signed) => app(servers.any(), signed, 'back')],
    ['a batch of the browser', batch],
    ['a refresh that gives a new id', refresh],
  ]
  test.for(rivals)(
    `every cookie is dead after a sign-out while %s runs, at least ${rounds} times`,
    { timeout: 60_000 },
    async ([, rival], { servers }) => {
      const raced = await raceAll(servers, rival)
      expect(raced.length).toBeGreaterThanOrEqual(rounds)
      expect(raced.flatMap(({ signs }) => signs).slice(0, 5)).toEqual([])
      // They met in the store (a renewed cookie has a new id), or it was no race.
      expect(servers.conflicts).toBeGreaterThan(0)
    },
  )
})
