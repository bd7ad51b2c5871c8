// What people who know Beaker, TurboGears or express-session expect of a session object.
import { describe, expect, test } from 'vitest'
import { code, createWorld, watchStore } from '../harness.ts'
import { memoryStore } from '../../../src/memory.ts'

describe('data, the keys as properties', () => {
  test('is a dict: set, read, delete, in, keys, JSON', async () => {
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

  test('gives the default of a key that is not set, and nothing of Object.prototype', async () => {
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

  test('refuses what the schema does not have, and what is no JSON', async () => {
    const data = (await createWorld()
      .browser()
      .app((session) => session.data)) as Record<string, unknown>
    expect(() => (data['other'] = 1)).toThrow(code('unknown-key'))
    expect(() => (data['__proto__'] = {})).toThrow(code('unknown-key'))
    expect(() => (data['user'] = () => 1)).toThrow(code('not-json'))
    expect(() => Object.defineProperty(data, 'user', { get: () => 1 })).toThrow(TypeError)
    expect(Object.getPrototypeOf(data)).toBe(null)
  })

  test('undefined removes', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => (session.data.user = { name: 'MVL' }))
    await browser.app((session) => (session.data.user = undefined))
    expect(await browser.app((session) => session.keys())).toEqual([])
  })
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

describe('delete and invalidate', () => {
  test.each(['delete', 'invalidate', 'destroy'] as const)('%s() ends the session', async (name) => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    const copy = browser.copy()
    await browser.app((session) => session[name]())
    expect(browser.cookie).toBe('')
    expect(await copy.app((session) => session.missing)).toBe('ended')
  })

  test('delete(undefined), a mistake, signs nobody out', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    await browser.app((session) => {
      expect(() => session.delete(undefined as never)).toThrow(code('unknown-key'))
    })
    expect(await browser.app((session) => session.owner)).toBe('ada')
  })

  test('after invalidate the session goes on as an empty new one', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const before = await browser.app((session) => session.epoch)
    await browser.app((session) => {
      session.invalidate()
      expect([session.isNew, session.keys()]).toEqual([true, []])
      session.set('user', { name: 'MVL' })
    })
    expect(await browser.app((session) => session.keys())).toEqual(['user'])
    expect(await browser.app((session) => session.epoch)).not.toBe(before)
  })
})

describe('regenerate', () => {
  test('gives a new id and a new epoch, keeps everything else, and the old cookie is dead', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => {
      session.signIn('ada', { label: 'phone' })
      session.set('secret', 'kept')
    })
    const [epoch, created] = await browser.app((session) => [session.epoch, session.created])
    const copy = browser.copy()
    world.sleep(100)
    await browser.app((session) => {
      session.regenerate()
      session.set('theme', 'dark')
    })
    const after = await browser.app((session) => ({
      keys: [session.get('secret'), session.get('theme')],
      owner: session.owner,
      label: session.label,
      created: session.created,
      isRecent: session.signedInWithin(50),
    }))
    const keys = ['kept', 'dark']
    expect(after).toEqual({ keys, owner: 'ada', label: 'phone', created, isRecent: false })
    expect(await browser.app((session) => session.epoch)).not.toBe(epoch)
    expect(await copy.app((session) => session.missing)).toBe('ended')
    expect((await world.sessions.list('ada')).map(({ label }) => label)).toEqual(['phone'])
  })

  test('never extends the absolute lifetime', async () => {
    const world = createWorld({ absoluteTimeoutSeconds: 100_000, freshSeconds: 80_000 })
    const browser = world.browser()
    await browser.app((session) => session.signIn('ada'))
    world.sleep(70_000)
    await browser.app((session) => session.regenerate())
    world.sleep(40_000)
    expect(await browser.app((session) => session.missing)).toBe('expired')
  })

  test('of a session that was signed out meanwhile is refused', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('ada'))
    const copy = browser.copy()
    const signingOut = copy.app(async (session) => {
      session.regenerate()
      await browser.signOut()
    })
    await expect(signingOut).rejects.toEqual(code('ended'))
  })

  test('without a session does nothing', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.regenerate())
    expect(browser.cookie).toBe('')
  })
})

describe('times', () => {
  test('created, lastAccessed and signedInAt are dates of the server’s clock', async () => {
    const world = createWorld()
    const browser = world.browser()
    const start = world.now()
    const times = () =>
      browser.app(({ created, lastAccessed, signedInAt }) =>
        [created, lastAccessed, signedInAt].map((date) =>
          date === null ? null : date.getTime() / 1000 - start,
        ),
      )
    expect(await times()).toEqual([null, null, null])
    await browser.app((session) => session.set('theme', 'dark'))
    expect(await times()).toEqual([0, 0, null])
    world.sleep(600)
    expect(await times()).toEqual([0, 0, null])
    expect(await times()).toEqual([0, 600, null])
    await browser.app((session) => session.signIn('ada'))
    expect(await times()).toEqual([0, 600, 600])
  })

  test('a step-up check asks how long ago the sign-in was', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => {
      expect(session.signedInWithin(300)).toBe(false)
      session.signIn('ada')
      expect(session.signedInWithin(300)).toBe(true)
    })
    world.sleep(299)
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(true)
    world.sleep(1)
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(false)
    await browser.app((session) => session.signIn('ada'))
    expect(await browser.app((session) => session.signedInWithin(300))).toBe(true)
  })
})

describe('save', () => {
  test('says what it set and removed, and nothing that was there already', async () => {
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

  test('of a session that nobody changed writes nothing', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store, clock: Date.now }).browser()
    await browser.app((session) => session.set('theme', 'dark'))
    store.calls.length = 0
    await browser.app((session) => session.set('theme', session.get('theme')))
    // A second look: what was read before may have changed since.
    expect(store.calls).toEqual(['read', 'read'])
  })

  test('with autoSave: false, only what the app saves is stored', async () => {
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

describe('getById', () => {
  test('gives another browser’s session, to read and to change', async () => {
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

  test('never puts that session’s cookie on somebody else’s answer', async () => {
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

  test('knows no id of another owner', async () => {
    const { sessions, browser } = createWorld()
    await browser().app((session) => session.signIn('ada'))
    const [owned] = await sessions.list('ada')
    expect(await sessions.getById('grace', owned?.id ?? '')).toBeUndefined()
  })
})
