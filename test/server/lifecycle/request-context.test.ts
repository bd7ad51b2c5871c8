// Each request's own asynchronous context: what the app reads from an AsyncLocalStorage in validators and updates is that of
// the request that makes the change, also when several wait for one session.
import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { defineSession, writable } from '../../../src/schema.ts'
import { createSessions } from '../../../src/server.ts'
import { createBrowser, secrets } from '../harness.ts'

test('updates and validators of thirty requests at once run in the context of their own request', async () => {
  const context = new AsyncLocalStorage<number>()
  const seen: { readonly value: number; readonly within: number | undefined }[] = []
  const validate = (value: unknown) => {
    seen.push({ value: Number(value) % 1000, within: context.getStore() })
    return { value: Number(value) }
  }
  const schema = defineSession({
    last: writable<number>({ '~standard': { version: 1, vendor: 'test', validate } }, { default: 0 }),
  })
  const sessions = createSessions({ schema, secrets, store: memoryStore() })
  const browser = createBrowser(sessions as never)
  const load = async () => sessions.load(browser.request('/app'))
  const begin = await load()
  begin.set('last', 0)
  await begin.save()
  browser.cookie = sessions.answer(begin, new Response()).headers.getSetCookie()[0]?.split(';')[0] ?? ''
  seen.length = 0
  const writers = Array.from({ length: 30 }, (_, index) =>
    context.run(index, async () => {
      const session = await load()
      session.update('last', (last) => {
        expect(context.getStore()).toBe(index)
        return (Math.floor(Number(last) / 1000) + 1) * 1000 + index
      })
      await session.save()
    }),
  )
  await Promise.all(writers)
  expect(seen.length).toBeGreaterThan(30)
  expect(seen.filter(({ value, within }) => value !== within)).toEqual([])
  // All thirty counted.
  expect(Math.floor((await load()).get('last') / 1000)).toBe(30)
})
