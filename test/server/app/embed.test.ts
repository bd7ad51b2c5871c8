// `embed`: what a rendered page carries of its session. Never more than the browser may see, and never anything that ends its element.
import { describe, expect, test } from 'vitest'
import { SessionError, embed } from '../../../src/server.ts'
import type { EmbeddedSession } from '../../../src/protocol/messages.ts'
import { memoryStore } from '../../../src/memory.ts'
import { createWorld } from '../harness.ts'

const opening = '<script type="application/json" id="session-mirror:/session">'

function parse(element: string): EmbeddedSession {
  expect(element.startsWith(opening) && element.endsWith('</script>')).toBe(true)
  return JSON.parse(element.slice(opening.length, -'</script>'.length)) as EmbeddedSession
}

async function stage() {
  const world = createWorld({ store: memoryStore() })
  const browser = world.browser()
  await browser.app((session) => {
    session.signIn('ada')
    session.set('theme', 'dark')
    session.set('secret', 'of the server')
  })
  return { ...world, visitor: browser, load: () => world.sessions.load(browser.request('/')) }
}

describe('embed', () => {
  test('a page carries what the mirror route would answer, with the times that are left', async () => {
    const { load, now, sleep } = await stage()
    sleep(60)
    const { at, message } = parse(embed(await load()))
    expect(at).toBe(now() * 1000)
    expect(message).toMatchObject({
      owner: 'ada',
      since: null,
      freshIn: 840,
      keys: { theme: [expect.any(Number), 'dark'] },
    })
    expect(message.parking).toEqual(expect.any(String))
    expect(message.expiresIn).toBeGreaterThan(0)
  })

  test('a cookie that this very answer renews is fresh for its whole time; one that is only read is not', async () => {
    const { load, sleep, sessions, visitor } = await stage()
    sleep(880)
    expect(parse(embed(await sessions.read(visitor.request('/')))).message.freshIn).toBe(20)
    const session = await load()
    expect(parse(embed(session)).message.freshIn).toBe(900)
    await session.save()
    expect(parse(embed(session)).message.freshIn).toBe(900)
  })

  test('hidden keys are never in a page', async () => {
    const { load } = await stage()
    const session = await load()
    expect(session.get('secret')).toBe('of the server')
    expect(embed(session)).not.toMatch(/secret|of the server/)
  })

  test('no value ends the element, begins a comment, or breaks a script', async () => {
    const { load, visitor } = await stage()
    const hostile = '</script><!--<script>]]>&lt;"\'\u2028\u2029\\'
    await visitor.app((session) => session.set('draft', hostile))
    const element = embed(await load())
    expect(element.slice(opening.length, -'</script>'.length)).not.toMatch(/[<>&\u2028\u2029]/)
    expect(parse(element).message.keys['draft']?.[1]).toBe(hostile)
  })

  test('a page of a visitor without a session says that there is none', async () => {
    const world = createWorld({ store: memoryStore() })
    const session = await world.sessions.load(world.browser().request('/'))
    expect(parse(embed(session)).message).toMatchObject({ epoch: null, owner: null, keys: {}, parking: null })
  })

  test('a session that was only read can be embedded, as in a server component', async () => {
    const { sessions, visitor } = await stage()
    const session = await sessions.read(visitor.request('/'))
    expect(parse(embed(session)).message.owner).toBe('ada')
  })

  test('changes that are not stored yet are not embedded: that is refused, and works after save', async () => {
    const { load } = await stage()
    const session = await load()
    session.set('theme', 'light')
    expect(() => embed(session)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
    await session.save()
    expect(parse(embed(session)).message.keys['theme']?.[1]).toBe('light')
  })

  test('another browser’s session is not put into a page, nor a copy of a session', async () => {
    const { sessions } = await stage()
    const [own] = await sessions.list('ada')
    const other = await sessions.getById('ada', own?.id ?? '')
    expect(other?.owner).toBe('ada')
    for (const wrong of [other, { ...other }])
      expect(() => embed(wrong as NonNullable<typeof other>)).toThrow(SessionError)
  })

  test('an answer with a session in it is kept out of shared caches', async () => {
    const { sessions, visitor } = await stage()
    const request = visitor.request('/')
    const session = await sessions.load(request)
    const response = sessions.answer(session, new Response(embed(session)))
    expect(response.headers.get('cache-control')).toMatch(/no-store|private/)
    expect(response.headers.get('vary')).toContain('Cookie')
  })
})
