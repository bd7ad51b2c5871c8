// Writers of one session at one server: they share trips to the store, and none loses another's change.
import { describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { Store } from '../../../src/stores/store.ts'
import { concurrencyTests } from '../concurrency.ts'
import { code, createWorld, ignoreError, watchStore } from '../harness.ts'

const test = base.extend<{ open: () => Store }>({
  // oxlint-disable-next-line no-empty-pattern -- Vitest reads the names of a fixture's parameters
  open: async ({}, use) => {
    const store = memoryStore()
    await use(() => store)
  },
})

describe('on the memory store', () => concurrencyTests(test))

test('writers of one session at one server share their trips to the store', async () => {
  const store = watchStore(memoryStore())
  const world = createWorld({ store })
  const browser = world.browser()
  await browser.app((session) => session.set('theme', 'x'))
  const sessions = await Promise.all(
    Array.from({ length: 50 }, () => world.sessions.load(browser.request('/app'))),
  )
  store.calls.length = 0
  for (const session of sessions) session.increment('visits')
  await Promise.all(sessions.map((session) => session.save()))
  expect(store.calls.length).toBeLessThan(5)
  await browser.app((session) => expect(session.get('visits')).toBe(50))
})

test('an update is applied to the newest value, not to the one that was read', async () => {
  const world = createWorld()
  const browser = world.browser()
  await browser.app((session) => session.set('cart', ['first']))
  const slow = await world.sessions.load(browser.request('/app'))
  slow.update('cart', (cart) => [...cart, 'slow'])
  await browser.app((session) => session.update('cart', (cart) => [...cart, 'quick']))
  await slow.save()
  await browser.app((session) => expect(session.get('cart')).toEqual(['first', 'quick', 'slow']))
})

test('a store on which somebody is always quicker gives contention, and changes nothing', async () => {
  const inner = memoryStore()
  const world = createWorld({
    store: { ...inner, replace: async () => ({ kind: 'conflict' }) },
    onError: ignoreError,
  })
  const browser = world.browser()
  await browser.app((session) => session.set('theme', 'before'))
  await expect(browser.app((session) => session.set('theme', 'after'))).rejects.toEqual(code('contention'))
  const reply = await browser.sync([{ kind: 'increment', key: 'visits', by: 1 }])
  expect(reply).toMatchObject({ status: 503, code: 'contention', cookies: [] })
  // Signing out goes through all the same.
  const copy = browser.copy()
  expect((await browser.signOut()).status).toBe(200)
  expect((await copy.get()).code).toBe('ended')
})

test('one too large change among many fails alone', async () => {
  const world = createWorld()
  const browser = world.browser()
  await browser.app((session) => session.set('theme', 'x'))
  const [first, large, last] = await Promise.all(
    [0, 1, 2].map(() => world.sessions.load(browser.request('/app'))),
  )
  first?.set('secret', 'x'.repeat(150_000))
  large?.set('theme', 'y'.repeat(150_000))
  last?.increment('visits')
  const saved = await Promise.allSettled([first?.save(), large?.save(), last?.save()])
  expect(saved.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})
