// `sessions.getById`: one of an owner's sessions, for the app's own code.
import { describe, expect, test } from 'vitest'
import { code, createWorld } from '../harness.ts'

describe('getById', () => {
  test('getById gives another browser’s session, to read and to change', async () => {
    const { sessions, browser } = createWorld()
    const ada = browser()
    await ada.app((session) => session.signIn('ada'))
    const [owned] = await sessions.list('ada')
    const session = await sessions.getById('ada', owned?.id ?? '')
    expect(session?.owner).toBe('ada')
    session?.set('theme', 'dark')
    expect((await session?.save())?.changed).toEqual(['theme'])
    expect(await ada.app((mine) => mine.get('theme'))).toBe('dark')
    session?.destroy()
    await session?.save()
    expect(await ada.app((mine) => mine.missing)).toBe('ended')
  })

  test('getById never puts that session’s cookie on somebody else’s answer', async () => {
    const { sessions, browser } = createWorld()
    await browser().app((session) => session.signIn('ada'))
    const [owned] = await sessions.list('ada')
    const session = await sessions.getById('ada', owned?.id ?? '')
    if (session === undefined) throw new Error('It is there.')
    expect(() => session.signIn('ada')).toThrow(code('invalid-option'))
    expect(() => session.regenerate()).toThrow(code('invalid-option'))
    session.set('theme', 'dark')
    await session.save()
    expect(sessions.answer(session, new Response()).headers.getSetCookie()).toEqual([])
  })

  test('getById knows no id of another owner', async () => {
    const { sessions, browser } = createWorld()
    await browser().app((session) => session.signIn('ada'))
    const [owned] = await sessions.list('ada')
    expect(await sessions.getById('grace', owned?.id ?? '')).toBeUndefined()
  })
})
