// Sessions in which nobody is signed in: the app may refuse or bound them, before anything is stored.
import { describe, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import type { CoreRequest } from '../../../src/server.ts'
import { code, createWorld, watchStore } from '../harness.ts'

const set = { kind: 'set', key: 'theme', value: 'dark' } as const

describe('allowAnonymous', () => {
  test.each([false, () => false, async () => false])(
    'refused by %s, a first change is 503, sets nothing, and asks the store nothing',
    async (allowAnonymous) => {
      const store = watchStore(memoryStore())
      const browser = createWorld({ store, allowAnonymous }).browser()
      const reply = await browser.sync([set])
      expect([reply.status, reply.code, reply.cookies]).toEqual([503, 'anonymous-full', []])
      expect(reply.headers['retry-after']).toBe('60')
      await expect(browser.app((session) => session.set('theme', 'dark'))).rejects.toEqual(
        code('anonymous-full'),
      )
      expect([store.calls, browser.cookie]).toEqual([[], ''])
    },
  )

  test('who signs in begins a session all the same, and goes on in it', async () => {
    const browser = createWorld({ allowAnonymous: false }).browser()
    await browser.app((session) => {
      session.signIn('ada')
      session.set('theme', 'dark')
    })
    await browser.app((session) => session.set('theme', 'light'))
    expect(await browser.app((session) => session.get('theme'))).toBe('light')
  })

  test('the function is asked for what begins a session alone, with the request', async () => {
    const allowAnonymous = vi.fn((request: CoreRequest) => request.host === 'localhost')
    const browser = createWorld({ allowAnonymous }).browser()
    await browser.get()
    await browser.sync([{ kind: 'remove', key: 'theme' }])
    await browser.app((session) => session.get('theme'))
    expect(allowAnonymous).not.toHaveBeenCalled()
    await browser.sync([set])
    await browser.app((session) => session.set('theme', 'blue'))
    expect(allowAnonymous).toHaveBeenCalledTimes(1)
  })
})
