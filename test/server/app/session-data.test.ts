// `session.data`: the keys of a session as the properties of an object.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

describe('data, the keys as properties', () => {
  test('session.data is a dict: set, read, delete, in, keys, JSON', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => {
      session.data['user'] = { name: 'MVL' }
      session.data.theme = 'dark'
    })
    await browser.app((session) => {
      expect(session.data.user?.name).toBe('MVL')
      expect('user' in session.data).toBe(true)
      expect(Object.keys(session.data)).toEqual(['user', 'theme'])
      expect(JSON.stringify(session.data)).toBe('{"user":{"name":"MVL"},"theme":"dark"}')
      expect({ ...session.data }).toEqual({ user: { name: 'MVL' }, theme: 'dark' })
      delete session.data.user
      expect('user' in session.data).toBe(false)
    })
    expect(await browser.app((session) => session.has('user'))).toBe(false)
  })

  test('session.data gives the default of a key that is not set, and nothing of Object.prototype', async () => {
    const data = await createWorld()
      .browser()
      .app((session) => session.data)
    expect(data.theme).toBe('light')
    expect('theme' in data).toBe(false)
    for (const name of ['constructor', '__proto__', 'toString', 'then', 'nothing']) {
      expect(Reflect.get(data, name)).toBeUndefined()
      expect(Reflect.has(data, name)).toBe(false)
    }
  })

  test('session.data refuses what the schema does not have, and what is no JSON', async () => {
    const data = (await createWorld()
      .browser()
      .app((session) => session.data)) as Record<string, unknown>
    expect(() => (data['other'] = 1)).toThrow(code('unknown-key'))
    expect(() => (data['__proto__'] = {})).toThrow(code('unknown-key'))
    expect(() => (data['user'] = () => 1)).toThrow(code('not-json'))
    expect(() => Object.defineProperty(data, 'user', { get: () => 1 })).toThrow(TypeError)
    expect(Object.getPrototypeOf(data)).toBe(null)
  })

  test('setting a key of session.data to undefined removes it', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => (session.data.user = { name: 'MVL' }))
    await browser.app((session) => (session.data.user = undefined))
    expect(await browser.app((session) => session.keys())).toEqual([])
  })
})

test('session.data as JSON shows no hidden key, and a copy of it has all of them', async () => {
  const data = await createWorld()
    .browser()
    .app((session) => {
      session.set('secret', 'hidden')
      session.set('theme', 'dark')
      return session.data
    })
  expect(JSON.parse(JSON.stringify({ data }))).toEqual({ data: { theme: 'dark' } })
  expect({ ...data }).toMatchObject({ secret: 'hidden', theme: 'dark' })
  expect(Object.keys(data)).toContain('secret')
})

test('a session that is answered or logged as JSON shows no hidden key', async () => {
  const text = await createWorld()
    .browser()
    .app((session) => {
      session.set('secret', 'hidden')
      session.set('theme', 'dark')
      return JSON.stringify(session)
    })
  expect(text).toBe('{"theme":"dark"}')
})
