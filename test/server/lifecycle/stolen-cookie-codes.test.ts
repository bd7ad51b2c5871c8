// Which code a request meets when a stolen cookie ended its session while the request was under way: `reuse`, in
// every operation, so that the browser can say more than "signed out".
import { describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { ServerSession } from '../../../src/server.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type Browser, type Schema, type World, code, createBrowser, createWorld } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }

interface Theft {
  readonly world: World
  /** The browser that owns the session. Its id was rotated, so that the thief's copy is out of date. */
  readonly victim: Browser
  /** What the victim's pages believe in. */
  readonly epoch: string
  /** Uses the copy: the session ends with the reason `reuse`. */
  strike(): Promise<void>
  /** Lets the thief strike just before the given call of the store. */
  strikeBefore(call: 'read' | 'replace', count: number): void
}

async function createTheft(): Promise<Theft> {
  const time = { milliseconds: 1_800_000_000_000 }
  const clock = (): number => time.milliseconds
  const inner = memoryStore({ clock })
  const planned = new Map<'read' | 'replace', number>()
  const store: Store = {
    ...inner,
    async read(...parameters) {
      await meet('read')
      return inner.read(...parameters)
    },
    async replace(...parameters) {
      await meet('replace')
      return inner.replace(...parameters)
    },
  }
  const options = { clock, rotateSeconds: 100 }
  const world = createWorld({ ...options, store })
  const elsewhere = createWorld({ ...options, store: inner })
  const victim = world.browser()
  await victim.app((session) => session.signIn('alice'))
  const thief = createBrowser(elsewhere.sessions, victim.cookie)
  time.milliseconds += 200_000
  await victim.post('refresh', nothing)
  time.milliseconds += 60_000
  const epoch = (await victim.get()).message.epoch ?? ''
  time.milliseconds += 200_000

  async function strike(): Promise<void> {
    expect((await thief.copy().get()).code).toBe('reuse')
  }
  async function meet(call: 'read' | 'replace'): Promise<void> {
    const left = planned.get(call)
    if (left === undefined) return
    planned.set(call, left - 1)
    if (left !== 1) return
    planned.clear()
    await strike()
  }
  return {
    world,
    victim,
    epoch,
    strike,
    strikeBefore: (call, count) => void planned.set(call, count),
  }
}

const test = base.extend<{ theft: Theft }>({
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads the names of a fixture's parameters
  theft: async ({}, use) => use(await createTheft()),
})

describe('a session that ends with "reuse" while a request holds it', () => {
  const wishes: readonly (readonly [string, (session: ServerSession<Schema>) => void])[] = [
    ['set', (session) => session.set('theme', 'dark')],
    ['increment', (session) => session.increment('visits')],
    ['regenerate', (session) => session.regenerate()],
  ]
  test.for(wishes)('a save after %s is refused with "reuse"', async ([, wish], { theft }) => {
    const session = await theft.world.sessions.load(theft.victim.request('/app'))
    wish(session)
    await theft.strike()
    await expect(session.save()).rejects.toEqual(code('reuse'))
  })

  test('a sign-in goes on, and begins a session of its own', async ({ theft }) => {
    const { world, victim } = theft
    const session = await world.sessions.load(victim.request('/app'))
    session.signIn('alice')
    await theft.strike()
    await session.save()
    expect(world.sessions.answer(session, new Response()).headers.getSetCookie()).toHaveLength(1)
  })

  test('a refresh that was about to rotate the id is refused with "reuse"', async ({ theft }) => {
    theft.strikeBefore('read', 2)
    expect(await theft.victim.post('refresh', nothing)).toMatchObject({ status: 401, code: 'reuse' })
  })

  test('a batch that was about to be committed is refused with "reuse"', async ({ theft }) => {
    theft.strikeBefore('replace', 1)
    const mutation = { kind: 'increment', key: 'visits', by: 1 } as const
    const reply = await theft.victim.sync([mutation], { epoch: theft.epoch, owner: 'alice' })
    expect(reply).toMatchObject({ status: 401, code: 'reuse', cookies: [] })
  })

  test('every later request meets "reuse": pull, refresh, batch, stream and the app', async ({ theft }) => {
    const { victim } = theft
    await theft.strike()
    const replies = [
      await victim.get(),
      await victim.post('refresh', nothing),
      await victim.sync([{ kind: 'increment', key: 'visits', by: 1 }], {
        epoch: theft.epoch,
        owner: 'alice',
      }),
      await victim.send('/session/events'),
    ]
    for (const reply of replies) expect(reply).toMatchObject({ status: 401, code: 'reuse', cookies: [] })
    expect(await victim.app((session) => session.missing)).toBe('reuse')
  })
})
