// What apps that come from other session libraries do to a session: it is refused with a sentence, and never lost.
import { describe, expect, test } from 'vitest'
import type { ServerSession } from '../../../src/server.ts'
import { type Schema, code, createWorld } from '../harness.ts'

const open = async (): Promise<ServerSession<Schema>> => {
  const { sessions, browser } = createWorld()
  return sessions.load(browser().request('/app'))
}

/** As an app without TypeScript does it. */
function assign(session: object, name: PropertyKey, value: unknown): void {
  Reflect.set(session, name, value)
}

describe('a session is sealed', () => {
  test('an assignment to a key says how keys are set', async () => {
    const session = await open()
    expect(() => assign(session, 'user', { name: 'Ada' })).toThrow(
      "session.user = … stores nothing. Write session.set('user', …), or session.data.user = …",
    )
    expect(() => Object.assign(session, { theme: 'dark' })).toThrow(code('invalid-option'))
    expect(session.keys()).toEqual([])
  })

  test('an assignment to a name that is no key says so, and which key is near', async () => {
    const session = await open()
    expect(() => assign(session, 'usr', 1)).toThrow(/no key "usr".*did you mean "user"/i)
    expect(() => assign(session, 'passport', {})).toThrow(/no key "passport".*defineSession/)
    expect(() => assign(session, Symbol('mine'), 1)).toThrow(code('invalid-option'))
  })

  test('an assignment to what a session only shows says what changes it', async () => {
    const session = await open()
    expect(() => assign(session, 'data', {})).toThrow(/session\.data\.theme/)
    expect(() => assign(session, 'owner', 'ada')).toThrow(/session\.signIn/)
    expect(() => assign(session, 'revision', 7)).toThrow(code('invalid-option'))
    expect(session.owner).toBeNull()
  })

  test('no property can be defined on a session', async () => {
    const session = await open()
    expect(Object.isSealed(session)).toBe(true)
    expect(Reflect.defineProperty(session, 'user', { value: 1 })).toBe(false)
  })

  test('a session is read and awaited as before', async () => {
    const session = await open()
    expect(await Promise.resolve(session)).toBe(session)
    expect(Reflect.get(session, 'then')).toBeUndefined()
    expect(Reflect.get(session, 'user')).toBeUndefined()
    expect(JSON.stringify(session)).toBe('{}')
    session.data.theme = 'dark'
    expect(session.get('theme')).toBe('dark')
  })
})

describe('a callback is refused, because nothing would call it', () => {
  test.each(['save', 'destroy', 'regenerate', 'invalidate', 'revert'] as const)(
    'session.%s(callback) throws at once',
    async (method) => {
      const session = await open()
      session.set('theme', 'dark')
      const callback = (): void => expect.unreachable()
      expect(() => Reflect.apply(session[method], session, [callback])).toThrow(
        new RegExp(`session\\.${method} takes no callback`),
      )
      // Nothing of it was done.
      expect(session.get('theme')).toBe('dark')
    },
  )

  test('signIn takes options, not a callback', async () => {
    const session = await open()
    expect(() => Reflect.apply(session.signIn, session, ['ada', () => {}])).toThrow(/takes no callback/)
    expect(session.owner).toBeNull()
  })
})
