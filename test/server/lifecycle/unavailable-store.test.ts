// A store that does not answer: nothing is changed, nobody is signed out, and it can be tried again.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { code, createWorld, ignoreError, watchStore } from '../harness.ts'

const nothing = { epoch: null, owner: null, since: 0 }

async function signedIn(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld({ onError: ignoreError, ...options })
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  return { world, browser }
}

describe('a store that does not answer', () => {
  test('a store that does not answer is 503 with Retry-After, sets and clears nothing, and signs nobody out', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store })
    const { epoch } = (await browser.get()).message
    store.broken = true
    const replies = [
      await browser.get(),
      await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }], { epoch, owner: 'alice' }),
      await browser.post('refresh', nothing),
      await browser.signOut(),
      await world.browser().sync([{ kind: 'increment', key: 'visits', by: 1 }]),
    ]
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 503, code: 'store-unavailable', cookies: [] })
      expect(reply.headers['retry-after']).toBe('1')
      expect(reply.body).not.toContain('broken')
    }
    await expect(browser.app(() => undefined)).rejects.toEqual(code('store-unavailable'))
    store.broken = false
    expect((await browser.get()).message.owner).toBe('alice')
  })

  test('changes that could not be saved are still there to be tried again', async () => {
    const store = watchStore(memoryStore())
    const { world, browser } = await signedIn({ store })
    const session = await world.sessions.load(browser.request('/app'))
    session.set('theme', 'dark')
    store.broken = true
    await expect(session.save()).rejects.toEqual(code('store-unavailable'))
    expect(world.sessions.progress(session)).toMatchObject({ hasFailed: true, isDirty: true })
    store.broken = false
    await session.save()
    expect(world.sessions.progress(session)).toMatchObject({ hasFailed: false, isDirty: false })
    await browser.app((again) => expect(again.get('theme')).toBe('dark'))
  })
})

test('an answer with changes that could not be stored sets no cookie, not even that of an earlier save', async () => {
  const store = watchStore(memoryStore())
  const world = createWorld({ store, onError: ignoreError })
  const load = () => world.sessions.load(world.browser().request('/app'))
  type Loaded = Awaited<ReturnType<typeof load>>
  const cookiesOf = (session: Loaded): string[] =>
    world.sessions.answer(session, new Response()).headers.getSetCookie()
  const unsaved = await load()
  unsaved.set('theme', 'not saved')
  expect(cookiesOf(unsaved)).toEqual([])
  // Its answer is on its way: what needs a cookie comes too late.
  await expect(unsaved.save()).rejects.toEqual(code('answer-begun'))
  const session = await load()
  session.set('theme', 'stored')
  await session.save()
  expect(cookiesOf(session)).toHaveLength(1)
  store.broken = true
  session.set('theme', 'lost')
  await expect(session.save()).rejects.toEqual(code('store-unavailable'))
  expect(cookiesOf(session)).toEqual([])
})
