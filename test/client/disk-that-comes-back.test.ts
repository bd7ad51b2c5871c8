// A disk that was sick for a while: what waits on it and what memory has come together, in order, once; and nothing of a session that
// is over is there at the next start.
import { describe, expect, onTestFinished, vi } from 'vitest'
import type { Session } from 'session-mirror'
import { until } from '../support/waiting.ts'
import { type Schema, test as base } from './harness.ts'

const fail = (name: string): never => {
  throw new DOMException('made to fail', name)
}

/** The ways in which a disk can be sick; each is given back how it becomes well. */
const sicknesses = {
  'a full disk': () =>
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => fail('QuotaExceededError')),
  'a dead database': () =>
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(() => fail('InvalidStateError')),
  'one that cannot be opened': () => {
    const open = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail('UnknownError'))
    const use = vi
      .spyOn(IDBDatabase.prototype, 'transaction')
      .mockImplementation(() => fail('InvalidStateError'))
    return { mockRestore: () => [open, use].forEach((spy) => spy.mockRestore()) }
  },
} as const

const test = base
  .extend('fallSick', () => (how: keyof typeof sicknesses): (() => void) => {
    const sickness = sicknesses[how]()
    const heal = (): void => void sickness.mockRestore()
    onTestFinished(heal)
    return heal
  })
  /** The cookies of a page, of which only ours is looked at. */
  .extend('cookies', ({}, { onCleanup }) => {
    const jar = new Map<string, string>()
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible' })
    Object.defineProperty(page, 'cookie', {
      get: () => [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
      set(text: string) {
        const [pair = ''] = text.split(';')
        const [name = '', value = ''] = pair.split('=')
        if (/Max-Age=0\b/.test(text)) jar.delete(name)
        else jar.set(name, value)
      },
    })
    vi.stubGlobal('document', page)
    vi.stubGlobal('location', new URL('http://localhost/'))
    vi.stubGlobal('origin', 'http://localhost')
    vi.stubGlobal('addEventListener', () => undefined)
    onCleanup(() => void vi.unstubAllGlobals())
    return jar
  })

const back = (session: Session<Schema>): Promise<unknown> =>
  until('the disk is back', () => session.durability === 'disk')

describe.for(Object.keys(sicknesses) as (keyof typeof sicknesses)[])('%s', (how) => {
  test('it is tried again: what waits on it is shown and sent, with what memory has, once', async ({
    signedIn,
    goOffline,
    fallSick,
    onServer,
    open,
  }) => {
    const session = await signedIn()
    goOffline()
    session.increment('visits')
    await session.set('note', 'on disk').stored
    const heal = fallSick(how)
    const told: string[] = []
    session.on('durability', (durability) => told.push(durability))
    expect(await session.set('theme', 'dark').stored).toBe('memory')
    expect(await session.increment('visits').stored).toBe('memory')
    heal()
    await back(session)
    expect([session.get('note'), session.get('theme'), session.get('visits')]).toEqual(['on disk', 'dark', 2])
    expect(told).toEqual(['memory', 'disk'])
    goOffline(false)
    await session.flush()
    expect(await onServer((own) => [own.get('note'), own.get('theme'), own.get('visits')])).toEqual([
      'on disk',
      'dark',
      2,
    ])
    expect((await open()).pending).toBe(0)
  })

  test('a write that waits on it never comes out over a newer one that was acknowledged from memory', async ({
    signedIn,
    goOffline,
    fallSick,
    onServer,
  }) => {
    const session = await signedIn()
    goOffline()
    await session.set('note', 'old').stored
    const heal = fallSick(how)
    await session.set('theme', 'dark').stored
    goOffline(false)
    expect(await session.set('note', 'newest').acknowledged).toMatchObject({ code: 'ok' })
    heal()
    await back(session)
    await session.flush()
    expect(session.get('note')).toBe('newest')
    expect(await onServer((own) => own.get('note'))).toBe('newest')
  })

  test('nor does a batch that was sealed there', async ({ signedIn, goOffline, fallSick, onServer }) => {
    const session = await signedIn()
    goOffline()
    session.increment('visits')
    await session.set('note', 'old').stored
    await session.flush()
    const heal = fallSick(how)
    await session.set('theme', 'dark').stored
    goOffline(false)
    await session.set('note', 'newest').acknowledged
    heal()
    await back(session)
    await session.flush()
    expect(await onServer((own) => [own.get('note'), own.get('visits')])).toEqual(['newest', 1])
  })

  test('a sign-out meanwhile leaves nothing for the next start, which has no network', async ({
    cookies,
    signedIn,
    goOffline,
    fallSick,
    open,
  }) => {
    const session = await signedIn()
    const heal = fallSick(how)
    await session.set('theme', 'dark').stored
    const { device } = await session.signOut()
    session.close()
    heal()
    goOffline()
    const next = await open()
    expect([next.owner, next.get('user')]).toEqual([null, undefined])
    expect([device, cookies.size]).toEqual([
      how === 'a full disk' || how === 'a dead database' ? 'clean' : device,
      0,
    ])
  })

  test.for(['expiry', 'another user'] as const)(
    '%s meanwhile leaves nothing for the next start',
    async (what, { cookies: _cookies, server, signedIn, goOffline, fallSick, open }) => {
      const session = await signedIn()
      const heal = fallSick(how)
      await session.set('theme', 'dark').acknowledged
      if (what === 'expiry') server.clock.advance(40_000_000)
      else await server.change((own) => own.signIn('grace'))
      await session.pull()
      expect(session.owner).toBe(what === 'expiry' ? null : 'grace')
      session.close()
      heal()
      goOffline()
      const next = await open()
      expect(next.get('user')).toBe(undefined)
      expect(next.owner).not.toBe('ada')
    },
  )
})

test('where nothing can be deleted either it is owed: the next start shows nothing, and deletes it when it can', async ({
  cookies,
  signedIn,
  goOffline,
  fallSick,
  open,
}) => {
  const session = await signedIn()
  const heal = fallSick('a dead database')
  const remove = vi
    .spyOn(IDBFactory.prototype, 'deleteDatabase')
    .mockImplementation(() => fail('UnknownError'))
  onTestFinished(() => remove.mockRestore())
  await session.set('theme', 'dark').stored
  expect((await session.signOut()).device).toBe('owed')
  expect(cookies.size).toBe(1)
  session.close()
  heal()
  goOffline()
  const next = await open()
  expect([next.owner, next.get('user'), next.durability]).toEqual([null, undefined, 'memory'])
  remove.mockRestore()
  await back(next)
  expect([next.owner, next.get('user'), cookies.size]).toEqual([null, undefined, 0])
  next.close()
  expect((await open()).get('user')).toBe(undefined)
})

test('a mark does not cost the session that it speaks of', async ({
  cookies,
  signedIn,
  goOffline,
  fallSick,
  open,
}) => {
  const session = await signedIn()
  const heal = fallSick('a full disk')
  await session.set('theme', 'dark').acknowledged
  // What memory knows is another life of nobody else: a reload on a disk that is well.
  await session.pull()
  session.close()
  heal()
  goOffline()
  const next = await open()
  expect([next.owner, next.get('user')]).toEqual(['ada', 'Ada'])
  expect(cookies.size).toBe(0)
})
