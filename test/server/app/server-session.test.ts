import { describe, expect, expectTypeOf, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { code, createWorld, watchStore } from '../harness.ts'

describe('the session that an app holds', () => {
  test('a session reads defaults, its own changes, and after saving what is stored', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => {
      expect(session.get('theme')).toBe('light')
      expect(session.get('visits')).toBe(0)
      expect(session.get('user')).toBe(undefined)
      expect(session).toMatchObject({
        isNew: true,
        owner: null,
        epoch: null,
        revision: 0,
        missing: undefined,
      })
      session.set('theme', 'dark')
      session.increment('visits')
      session.increment('visits', 4)
      session.update('cart', (cart) => [...cart, 'tea'])
      session.set('user', { name: 'Alice' })
      session.delete('user')
      expect(session.get('visits')).toBe(5)
      expect(session.keys().toSorted()).toEqual(['cart', 'theme', 'visits'])
      expect([session.has('theme'), session.has('user')]).toEqual([true, false])
      expectTypeOf(session.get('theme')).toEqualTypeOf<string>()
      expectTypeOf(session.get('user')).toEqualTypeOf<{ name: string } | undefined>()
    })
    await browser.app((session) => {
      expect([session.get('theme'), session.get('visits'), session.get('cart')]).toEqual(['dark', 5, ['tea']])
      expect(session).toMatchObject({ isNew: false, revision: 1 })
    })
  })

  test('a session refuses at the call what could never be stored', async () => {
    await createWorld()
      .browser()
      .app((session) => {
        const wrong = session as never as Record<string, (...parameters: unknown[]) => void>
        expect(() => wrong['set']?.('nothing', 1)).toThrow(code('unknown-key') as Error)
        expect(() => wrong['get']?.('__proto__')).toThrow(code('unknown-key') as Error)
        expect(() => wrong['delete']?.('toString')).toThrow(code('unknown-key') as Error)
        expect(() => wrong['set']?.('theme', () => 1)).toThrow(code('not-json') as Error)
        expect(() => wrong['set']?.('theme', new Date())).toThrow(code('not-json') as Error)
        expect(() => wrong['set']?.('visits', 1.5)).toThrow(code('invalid') as Error)
        expect(() => wrong['increment']?.('theme')).toThrow(code('invalid') as Error)
        expect(() => session.set('secret', 'é'.repeat(140_000))).toThrow(code('too-large') as Error)
        expect(() => session.update('cart', () => undefined as never)).not.toThrow()
        expect(() => session.signIn('')).toThrow(code('invalid-option') as Error)
        expect(() => session.signIn('x', { carry: ['nothing'] })).toThrow(code('unknown-key') as Error)
        session.revert()
      })
  })

  test('a session gives values that cannot be changed behind its back', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('cart', ['tea']))
    await browser.app((session) => {
      const cart = session.get('cart') as string[]
      expect(() => cart.push('coffee')).toThrow(TypeError)
      const user = { name: 'Alice' }
      session.set('user', user)
      user.name = 'Mallory'
      expect(session.get('user')).toEqual({ name: 'Alice' })
    })
  })

  test('a session that stays empty, or is not changed, is not stored', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    await browser.app((session) => {
      session.get('theme')
      session.delete('theme')
    })
    expect(store.calls).toEqual([])
    expect(browser.cookie).toBe('')
    await browser.app((session) => session.set('cart', ['a']))
    store.calls.length = 0
    await browser.app((session) => session.set('cart', ['a']))
    expect(store.calls).toEqual(['read', 'read'])
  })

  test('a session costs one trip to read, and one more to write', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    await browser.app((session) => session.set('theme', 'a'))
    expect(store.calls.splice(0)).toEqual(['create'])
    await browser.app((session) => session.get('theme'))
    expect(store.calls.splice(0)).toEqual(['read'])
    await browser.app((session) => session.set('theme', 'b'))
    expect(store.calls.splice(0)).toEqual(['read', 'replace'])
  })

  test('a session whose last key was deleted stays', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('theme', 'dark'))
    await browser.app((session) => session.delete('theme'))
    expect((await browser.get()).message).toMatchObject({ revision: 2, keys: {} })
  })

  test('a session reverts to what was loaded', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => {
      session.set('theme', 'dark')
      session.signIn('alice')
      session.revert()
      expect([session.get('theme'), session.owner]).toEqual(['light', null])
    })
    expect(browser.cookie).toBe('')
  })

  test('a session that grows too large in all is not saved, and what was there stays', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.set('secret', 'x'.repeat(200_000)))
    await expect(browser.app((session) => session.set('theme', 'y'.repeat(100_000)))).rejects.toEqual(
      code('too-large'),
    )
    await browser.app((session) => expect(session.get('theme')).toBe('light'))
  })
})

describe('signing in', () => {
  test('a sign-in gives a new id and a new epoch, and the old cookie is dead at once', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'dark'))
    const before = browser.copy()
    const { epoch } = (await browser.get()).message
    await browser.app((session) => session.signIn('alice'))
    const { message } = await browser.get()
    expect(message).toMatchObject({ owner: 'alice', keys: {} })
    expect(message.epoch).not.toBe(epoch)
    expect(await before.get()).toMatchObject({ status: 401, code: 'ended' })
    await before.app((session) => expect([session.owner, session.missing]).toEqual([null, 'ended']))
  })

  test('a sign-in does not let in somebody who planted the cookie before', async () => {
    const world = createWorld()
    const attacker = world.browser()
    await attacker.app((session) => session.set('theme', 'planted'))
    const victim = world.browser()
    victim.cookie = attacker.cookie
    await victim.app((session) => session.signIn('victim'))
    expect((await attacker.get()).code).toBe('ended')
    expect((await victim.get()).message).toMatchObject({ owner: 'victim', keys: {} })
  })

  test('a sign-in carries only what it is told to, and what the same request sets', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => {
      session.set('cart', ['tea'])
      session.set('theme', 'dark')
      session.set('secret', 'anonymous')
    })
    await browser.app((session) => {
      session.set('user', { name: 'Alice' })
      session.signIn('alice', { carry: ['cart'] })
      session.increment('visits')
      expect([session.owner, session.get('cart'), session.get('theme')]).toEqual(['alice', ['tea'], 'light'])
    })
    await browser.app((session) => {
      expect(session.keys().toSorted()).toEqual(['cart', 'user', 'visits'])
      expect(session.get('secret')).toBe(undefined)
    })
  })

  test('a sign-in as the same owner keeps everything, and batches stay applied once', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    const { epoch } = (await browser.get()).message
    const visit = [{ kind: 'increment', key: 'visits', by: 1 } as const]
    await browser.sync(visit, { epoch, owner: 'alice', number: 1 })
    await browser.app((session) => session.signIn('alice'))
    const { message } = await browser.get()
    expect(message.epoch).not.toBe(epoch)
    await browser.sync(visit, { epoch: message.epoch, owner: 'alice', number: 1 })
    expect((await browser.get()).message.keys['visits']?.[1]).toBe(1)
  })

  test('a sign-in works when the session before it has ended meanwhile', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    const tab = browser.copy()
    await browser.app(async (session) => {
      await tab.signOut()
      session.signIn('bob', { carry: ['theme'] })
    })
    expect((await browser.get()).message.owner).toBe('bob')
  })
})

describe('signing out', () => {
  test('a sign-out ends the session for every copy of its cookie, and clears the cookie in that answer alone', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    const copy = browser.copy()
    const reply = await browser.signOut()
    expect(reply).toMatchObject({ status: 200, message: { epoch: null } })
    expect(reply.cookies).toEqual(['session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax'])
    expect(await copy.get()).toMatchObject({ status: 401, code: 'ended', cookies: [] })
    expect(await copy.post('refresh', { epoch: null, owner: null, since: 0 })).toMatchObject({
      code: 'ended',
      cookies: [],
    })
    expect(await copy.signOut()).toMatchObject({ status: 200 })
  })

  test('a sign-out of another epoch than the cookie’s ends and clears nothing', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    for (const epoch of ['AAAAAAAAAAAAAAAA', 'acknowledge']) {
      expect(await browser.signOut({ 'session-epoch': epoch })).toMatchObject({
        status: 409,
        code: 'epoch-mismatch',
        cookies: [],
      })
    }
    const { message } = await browser.get()
    expect((await browser.signOut({ 'session-epoch': message.epoch ?? '' })).status).toBe(200)
  })

  test('a sign-out by the app’s own route does the same', async () => {
    const browser = createWorld().browser()
    await browser.app((session) => session.signIn('alice'))
    const copy = browser.copy()
    await browser.app((session) => {
      session.destroy()
      expect([session.owner, session.epoch, session.isNew]).toEqual([null, null, true])
    })
    expect(browser.cookie).toBe('')
    expect((await copy.get()).code).toBe('ended')
  })

  test.each(['set', 'update', 'increment', 'signIn with the old keys', 'sync', 'refresh'])(
    'a session that is signed out while a slow request is about to %s stays signed out, 100 times',
    async (what) => {
      const world = createWorld()
      for (let count = 0; count < 100; count++) {
        const browser = world.browser()
        await browser.app((session) => session.signIn('alice'))
        const { epoch } = (await browser.get()).message
        const slow = browser.copy()
        const session = await world.sessions.load(slow.request('/app'))
        if (what === 'set') session.set('theme', 'back')
        if (what === 'update') session.update('cart', () => ['back'])
        if (what === 'increment') session.increment('visits')
        const work = async (): Promise<unknown> => {
          if (what === 'sync')
            return slow.sync([{ kind: 'increment', key: 'visits', by: 1 }], { epoch, owner: 'alice' })
          if (what === 'refresh') return slow.post('refresh', { epoch, owner: 'alice', since: 0 })
          return session.save()
        }
        const signedOut = browser.copy().signOut()
        if (count % 2 === 0) await signedOut
        await Promise.allSettled([work(), signedOut])
        expect(await browser.get()).toMatchObject({ status: 401, code: 'ended' })
      }
    },
  )

  test('a slow answer never brings back the cookie of a session that was replaced meanwhile', async () => {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.signIn('alice'))
    world.sleep(600)
    const session = await world.sessions.load(browser.request('/app'))
    await browser.copy().app((other) => other.signIn('alice'))
    world.sleep(5)
    await session.save()
    expect(world.sessions.answer(session, new Response()).headers.getSetCookie()).toEqual([])
  })
})
