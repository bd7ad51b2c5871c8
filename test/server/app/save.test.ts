// `session.save`: what it stores, and what it says of it.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { createWorld, watchStore } from '../harness.ts'

describe('save', () => {
  test('save says what it set and removed, and nothing that was there already', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    await browser.app(async (session) => {
      session.set('theme', 'dark')
      session.set('user', { name: 'MVL' })
      session.increment('visits')
      session.delete('cart')
      const { changed, revision } = await session.save()
      expect([changed, revision]).toEqual([['user', 'visits'], 2])
      expect((await session.save()).changed).toEqual([])
    })
  })

  test('save writes nothing for a session that nobody changed', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store, clock: Date.now }).browser()
    await browser.app((session) => session.set('theme', 'dark'))
    store.calls.length = 0
    await browser.app((session) => session.set('theme', session.get('theme')))
    // A second look: what was read before may have changed since.
    expect(store.calls).toEqual(['read', 'read'])
  })

  test('only what the app saves is stored with autoSave: false', async () => {
    const { sessions } = createWorld({ autoSave: false })
    const cookies: string[] = []
    const run = async (change: string) => {
      const request = new Request('http://localhost/app', { headers: { cookie: cookies.at(-1) ?? '' } })
      const answer = await sessions.route(async (_, session) => {
        if (change === 'set') session.set('theme', 'dark')
        if (change === 'save') {
          session.set('user', { name: 'MVL' })
          await session.save()
          session.set('theme', 'dark')
        }
        return Response.json(session.keys())
      })(request)
      cookies.push(...answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? ''))
      return answer.json()
    }
    expect([await run('set'), await run('read'), cookies.length]).toEqual([['theme'], [], 0])
    expect([await run('save'), await run('read'), cookies.length]).toEqual([['user', 'theme'], ['user'], 1])
  })
})
