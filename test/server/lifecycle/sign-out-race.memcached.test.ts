// The sign-out race, on a real memcached and between two servers: whatever runs at the moment of a sign-out, no
// cookie that anybody ever got brings the session back.
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

const time = { ms: 1_800_000_000_000 }
const stores: Store[] = []
let conflicts = 0
let memcached: Memcached
let servers: readonly Sessions<Schema>[]

beforeAll(async () => {
  memcached = await startMemcached()
  servers = [open(), open()]
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await memcached.kill()
})

function open(): Sessions<Schema> {
  // A busy test machine must not look like a store that is away.
  const inner = memcachedStore({ servers: memcached.address, timeoutMilliseconds: 5000 })
  const store: Store = {
    ...inner,
    async replace(key, ...rest): Promise<ReplaceResult> {
      const replaced = await inner.replace(key, ...rest)
      // Of sessions, not of the lists of their owners.
      if (replaced.kind === 'conflict' && key.startsWith('sm1:')) conflicts++
      return replaced
    },
  }
  stores.push(store)
  return createWorld({ store, clock: () => time.ms, rotateSeconds: 400 }).sessions
}

/** Either of the two: a browser's requests go to whichever is free. */
function anyServer(): Sessions<Schema> {
  const server = servers[Math.random() < 0.5 ? 0 : 1]
  if (server === undefined) throw new Error('The servers are not open yet.')
  return server
}

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

async function signIn(): Promise<Signed> {
  const browser = createBrowser(anyServer())
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
type Rival = (signed: Signed) => Promise<Told>

/** A route of the app for people who are signed in. */
async function app({ cookie, owner }: Signed, write: boolean): Promise<Told> {
  const sessions = anyServer()
  try {
    const session = await sessions.load(createBrowser(sessions, cookie).request('/app'))
    const isEnded = session.owner !== owner
    await moment(2)
    if (write && !isEnded) session.set('theme', 'back')
    await session.save()
    const cookies = sessions.answer(session, new Response()).headers.getSetCookie()
    return { isEnded, cookies: pairsOf(cookies) }
  } catch (error) {
    if (error instanceof SessionError && error.code === 'ended') return { isEnded: true, cookies: [] }
    throw error
  }
}

const batch: Rival = async (signed) => toTold(await sync(createBrowser(anyServer(), signed.cookie), signed))

/** And the new cookie is used at once: the first use of a new id is written down in the record. */
const refresh: Rival = async ({ cookie, epoch, owner }) => {
  const browser = createBrowser(anyServer(), cookie)
  const refreshed = toTold(await browser.post('refresh', { epoch, owner, since: 0 }))
  if (refreshed.isEnded) return refreshed
  const read = toTold(await createBrowser(anyServer(), browser.cookie).get())
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
async function signsOfLife(cookie: string, signed: Signed): Promise<string[]> {
  const { epoch, owner } = signed
  const signs: string[] = []
  for (const sessions of servers) {
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

async function race(signed: Signed, rival: Rival): Promise<Raced> {
  const signOut = async (): Promise<void> => {
    await moment(4)
    const reply = await createBrowser(anyServer(), signed.cookie).signOut()
    if (reply.status !== 200) throw new Error(`The sign-out got ${reply.status} ${reply.code}.`)
  }
  const [told] = await Promise.all([moment(2).then(() => rival(signed)), signOut()])
  const cookies = [...new Set([signed.cookie, ...told.cookies])]
  const signs = await Promise.all(cookies.map((cookie) => signsOfLife(cookie, signed)))
  return { told, signs: signs.flat() }
}

async function raceAll(rival: Rival): Promise<readonly Raced[]> {
  const raced: Raced[] = []
  while (raced.length < rounds) {
    const signed = await Promise.all(Array.from({ length: atOnce }, signIn))
    time.ms += timeToRace * 1000
    raced.push(...(await Promise.all(signed.map((each) => race(each, rival)))))
  }
  return raced
}

describe('on memcached, a sign-out among the requests of two servers stays one', () => {
  test.each<readonly [string, Rival]>([
    // It asks the store at once, and a sign-out only after some steps: it starts later, or it would always be first.
    ['a read that renews the cookie', (signed) => moment(8).then(() => app(signed, false))],
    ['a write that takes its time', (signed) => app(signed, true)],
    ['a batch of the browser', batch],
    ['a refresh that gives a new id', refresh],
  ])(
    `while %s runs, ${rounds} times: every cookie is dead afterwards`,
    async (_name, rival) => {
      conflicts = 0
      const raced = await raceAll(rival)
      expect(raced).toHaveLength(rounds)
      expect(raced.flatMap(({ signs }) => signs).slice(0, 5)).toEqual([])
      // Neither always came first, and they met in the store (a renewed cookie has a new id): or it was no race.
      const refused = raced.filter(({ told }) => told.isEnded).length
      expect(refused).toBeGreaterThan(0)
      expect(refused).toBeLessThan(rounds)
      expect(conflicts).toBeGreaterThan(0)
    },
    60_000,
  )
})
