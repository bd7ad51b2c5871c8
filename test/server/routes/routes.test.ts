import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { parseMirrorMessage } from '../../../src/protocol/messages.ts'
import { adopt, emptyMirror } from '../../../src/protocol/state.ts'
import { createWorld, watchStore } from '../harness.ts'

const set = (key: string, value: unknown, base?: unknown) =>
  ({ kind: 'set', key, value, ...(base === undefined ? {} : { base }) }) as never

describe('without a session', () => {
  test('the mirror is empty, and reading it stores and sets nothing', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    const reply = await browser.get()
    expect(reply).toMatchObject({ status: 200, cookies: [] })
    expect(parseMirrorMessage(reply.message)).toEqual({
      ...emptyMirror,
      since: null,
      removed: {},
      freshIn: 0,
      expiresIn: 0,
      parking: null,
    })
    expect(store.calls).toEqual([])
  })

  test('a batch that changes nothing stores and sets nothing', async () => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    const reply = await browser.sync([set('user', { name: 'x' }), { kind: 'remove', key: 'theme' }])
    expect(reply.message.outcomes).toEqual([{ code: 'denied' }, { code: 'ok', revision: 0 }])
    expect(reply.cookies).toEqual([])
    expect(store.calls).toEqual([])
  })

  test('the first batch makes a session and its cookie', async () => {
    const world = createWorld()
    const browser = world.browser()
    const reply = await browser.sync([set('theme', 'dark'), { kind: 'increment', key: 'visits', by: 2 }])
    expect(reply.status).toBe(200)
    expect(reply.cookies).toHaveLength(1)
    expect(reply.headers).toMatchObject({ 'session-fresh-in': '900', 'cache-control': 'no-store' })
    expect(parseMirrorMessage(reply.message)).toMatchObject({
      owner: null,
      revision: 1,
      since: null,
      keys: { theme: [1, 'dark'], visits: [1, 2] },
      freshIn: 900,
      expiresIn: 86_400,
      parking: null,
    })
    expect((await browser.get()).message.keys).toEqual(reply.message.keys)
  })

  test('a batch for a session that the cookie does not name is refused', async () => {
    const browser = createWorld().browser()
    expect(await browser.sync([set('theme', 'x')], { epoch: 'AAAAAAAAAAAAAAAA' })).toMatchObject({
      status: 409,
      code: 'epoch-mismatch',
    })
  })
})

describe('the mirror', () => {
  async function withChanges() {
    const world = createWorld()
    const browser = world.browser()
    await browser.app((session) => session.set('theme', 'one'))
    await browser.app((session) => session.set('secret', 'hidden'))
    await browser.app((session) => session.set('user', { name: 'Alice' }))
    await browser.app((session) => session.delete('theme'))
    const { message } = await browser.get()
    return { world, browser, epoch: message.epoch ?? '' }
  }

  test('the mirror never has a hidden key, nor its removal', async () => {
    const { browser } = await withChanges()
    await browser.app((session) => session.delete('secret'))
    const replies = [
      await browser.get(),
      await browser.get(`?since=1&epoch=${(await browser.get()).message.epoch}`),
    ]
    for (const reply of replies) expect(reply.body).not.toMatch(/secret|hidden/)
  })

  test('the mirror since a revision is what changed after it', async () => {
    const { browser, epoch } = await withChanges()
    const patch = await browser.get(`?since=2&epoch=${epoch}`)
    expect(patch.message).toMatchObject({
      since: 2,
      revision: 4,
      keys: { user: [3, { name: 'Alice' }] },
      removed: { theme: 4 },
    })
    const whole = (await browser.get()).message
    const old = { ...emptyMirror, epoch: whole.epoch, revision: 2, keys: { theme: [1, 'one'] as const } }
    expect(adopt(old, parseMirrorMessage(patch.message))).toEqual(
      adopt(emptyMirror, parseMirrorMessage(whole)),
    )
  })

  test.each([
    ['another epoch', '?since=2&epoch=AAAAAAAAAAAAAAAA'],
    ['no epoch', '?since=2'],
    ['a revision from the future', '?since=99&epoch=E'],
    ['nonsense', '?since=-1&epoch=E'],
    ['more nonsense', '?since=1e3&epoch=E'],
  ])('the mirror since %s is the whole', async (_name, query) => {
    const { browser, epoch } = await withChanges()
    const { message } = await browser.get(query.replace('=E', `=${epoch}`))
    expect(message).toMatchObject({ since: null, removed: {}, keys: { user: [3, { name: 'Alice' }] } })
  })

  test('a mirror that has not changed is 304 for its ETag', async () => {
    const { browser } = await withChanges()
    const { headers } = await browser.get()
    const etag = headers['etag'] ?? ''
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`]) {
      expect(await browser.get('', { 'if-none-match': tags })).toMatchObject({ status: 304, body: '' })
    }
    await browser.app((session) => session.set('theme', 'new'))
    expect((await browser.get('', { 'if-none-match': etag })).status).toBe(200)
  })

  test('the mirror is given as a whole to a browser from before the removals that are remembered', async () => {
    const limits = await import('../../../src/protocol/limits.ts')
    const { withKeys, createRecord } = await import('../../../src/server/changes/change.ts')
    const { patchOf } = await import('../../../src/server/changes/patch.ts')
    const { defineSession, writable } = await import('../../../src/schema.ts')
    const names = Array.from({ length: 100 }, (_, index) => `k${index}`)
    const schema = defineSession(Object.fromEntries(names.map((name) => [name, writable<number>()])))
    const core = {
      times: { absoluteTimeoutSeconds: 1 },
      clock: () => 0,
      crypto: { randomBytes: () => new Uint8Array(12) },
    }
    let record = withKeys(createRecord(core as never, null), new Map(names.map((name) => [name, 1])))
    for (const name of names) record = withKeys(record, new Map([[name, undefined]]))
    expect(Object.keys(record.removed)).toHaveLength(limits.removalMarks)
    expect(record).toMatchObject({ revision: 101, horizon: 37 })
    expect(patchOf(record, { epoch: record.epoch, since: 36 }, schema as never).since).toBe(null)
    const patch = patchOf(record, { epoch: record.epoch, since: 37 }, schema as never)
    expect(Object.keys(patch.removed)).toHaveLength(64)
  })

  test('HEAD is GET without a body', async () => {
    const { browser } = await withChanges()
    expect(await browser.send('/session', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  })
})

describe('a batch', () => {
  async function live() {
    const world = createWorld()
    const browser = world.browser()
    const { message } = await browser.sync([set('theme', 'first'), set('draft', 'first')])
    return { world, browser, epoch: message.epoch }
  }

  test('a batch is applied once, however often it comes, with the same outcomes', async () => {
    const { browser, epoch } = await live()
    const mutations = [
      { kind: 'increment', key: 'visits', by: 1 } as const,
      set('user', { name: 'x' }),
      set('draft', 'mine', { epoch, revision: 99 }),
    ]
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => browser.sync(mutations, { epoch, number: 2 })),
    )
    for (const reply of replies) {
      expect(reply.message.outcomes).toEqual([
        { code: 'ok', revision: 2 },
        { code: 'denied' },
        { code: 'conflict', revision: 1, value: 'first' },
      ])
    }
    expect((await browser.get()).message.keys['visits']).toEqual([2, 1])
  })

  test('a batch with a number that was used for another one is a fork; so is a smaller number', async () => {
    const { browser, epoch } = await live()
    await browser.sync([set('theme', 'a')], { epoch, number: 5 })
    expect(await browser.sync([set('theme', 'b')], { epoch, number: 5 })).toMatchObject({
      status: 409,
      code: 'batch-fork',
    })
    expect(await browser.sync([set('theme', 'b')], { epoch, number: 4 })).toMatchObject({
      status: 409,
      code: 'batch-fork',
    })
    expect(
      (await browser.sync([set('theme', 'c')], { epoch, number: 5, client: 'another-client' })).status,
    ).toBe(200)
    expect((await browser.get()).message.keys['theme']).toEqual([3, 'c'])
  })

  test('a batch of another epoch or another owner changes nothing', async () => {
    const { browser, epoch } = await live()
    await browser.app((session) => session.signIn('bob', { carry: ['theme'] }))
    const now = (await browser.get()).message
    for (const [wrongEpoch, owner] of [
      [epoch, null],
      [epoch, 'bob'],
      [now.epoch, null],
      [now.epoch, 'alice'],
      [null, 'bob'],
      [null, null],
    ] as const) {
      const reply = await browser.sync([set('theme', 'stolen')], { epoch: wrongEpoch, owner })
      expect(reply).toMatchObject({ status: 409, code: 'epoch-mismatch', cookies: [] })
    }
    expect((await browser.get()).message.keys['theme']).toEqual([1, 'first'])
    expect((await browser.sync([set('theme', 'mine')], { epoch: now.epoch, owner: 'bob' })).status).toBe(200)
  })

  test('a batch without an epoch reaches an anonymous session: the answer with the first epoch was lost', async () => {
    const { browser } = await live()
    expect((await browser.sync([set('theme', 'again')], { epoch: null })).message.keys['theme']).toEqual([
      2,
      'again',
    ])
  })

  test('conflicts of a batch end by the policy of each key', async () => {
    const { browser, epoch } = await live()
    await browser.app((session) => session.set('tags', ['server']))
    const stale = { epoch, revision: 1 }
    const reply = await browser.sync(
      [set('theme', 'last'), set('draft', 'ok', stale), set('tags', ['mine'], { epoch, revision: 0 })],
      { epoch },
    )
    expect(reply.message.outcomes?.map((outcome) => outcome.code)).toEqual(['ok', 'ok', 'ok'])
    expect(reply.message.keys).toMatchObject({
      theme: [3, 'last'],
      draft: [3, 'ok'],
      tags: [3, ['server', 'mine']],
    })
    const second = await browser.sync([set('draft', 'late', stale)], { epoch })
    expect(second.message.outcomes).toEqual([{ code: 'conflict', revision: 3, value: 'ok' }])
  })

  test('a batch may write only what the schema lets a browser write', async () => {
    const { browser, epoch } = await live()
    const keys = ['user', 'secret', 'unknown', 'toString', 'hasOwnProperty', 'visits']
    const reply = await browser.sync([...keys.map((key) => set(key, 1)), set('theme', 'fine')], { epoch })
    expect(reply.message.outcomes?.map((outcome) => outcome.code)).toEqual([
      ...keys.map(() => 'denied'),
      'ok',
    ])
  })

  test('a batch that makes the session too large is refused for the mutations that do not fit, alone', async () => {
    const { browser, epoch } = await live()
    await browser.app((session) => session.set('secret', 'x'.repeat(200_000)))
    const reply = await browser.sync([set('theme', 'y'.repeat(80_000)), set('draft', 'small')], { epoch })
    expect(reply.message.outcomes).toEqual([{ code: 'too-large' }, { code: 'ok', revision: 3 }])
  })

  test('the batch of a ninth busy browser has to wait; the longest idle one gives its place', async () => {
    const { world, browser, epoch } = await live()
    for (let count = 1; count < 8; count++) {
      world.sleep(20)
      expect(
        (await browser.sync([set('theme', `${count}`)], { epoch, number: 1, client: `client-${count}` }))
          .status,
      ).toBe(200)
    }
    const ninth = () => browser.sync([set('theme', 'ninth')], { epoch, number: 1, client: 'client-nine' })
    expect(await ninth()).toMatchObject({
      status: 503,
      code: 'clients-full',
      headers: { 'retry-after': '160' },
    })
    world.sleep(160)
    expect((await ninth()).status).toBe(200)
    expect((await browser.sync([set('theme', 'x')], { epoch, number: 1, client: 'client-1' })).code).toBe(
      'batch-fork',
    )
  })

  test('a batch whose client is called __proto__ is as any other', async () => {
    const { browser, epoch } = await live()
    for (const client of ['__proto__', 'constructor']) {
      const send = () =>
        browser.sync([{ kind: 'increment', key: 'visits', by: 1 }], { epoch, number: 1, client })
      await send()
      await send()
    }
    expect((await browser.get()).message.keys['visits']?.[1]).toBe(2)
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('number')
  })
})

describe('a body that is not as the protocol says', () => {
  const valid = { epoch: null, owner: null, since: 0 }
  const mutation = { id: 'mutation-1', kind: 'set', key: 'theme', value: 'x' }
  const batch = (change: object, ofMutation: object = {}): object => ({
    ...valid,
    batch: JSON.stringify({
      client: 'client-1',
      number: 1,
      mutations: [{ ...mutation, ...ofMutation }],
      ...change,
    }),
  })

  test.each([
    ['', 400],
    ['null', 400],
    ['[]', 400],
    ['{', 400],
    ['{}', 400],
    ['[[[['.repeat(50_000), 400],
    [{ ...valid, epoch: 1 }, 400],
    [{ ...valid, epoch: 'short' }, 400],
    [{ ...valid, owner: 1 }, 400],
    [{ ...valid, since: -1 }, 400],
    [{ ...valid, since: 1.5 }, 400],
    [{ ...valid, since: '1' }, 400],
    [{ ...valid, extra: 1 }, 400],
    ['{"epoch":null,"owner":null,"since":0,"__proto__":{"x":1}}', 400],
    [{ ...valid, batch: {} }, 400],
    [{ ...valid, batch: 'x' }, 400],
    [batch({ client: 'short' }), 400],
    [batch({ client: 1 }), 400],
    [batch({ number: 0 }), 400],
    [batch({ number: 1.5 }), 400],
    [batch({ mutations: [] }), 400],
    [batch({ mutations: {} }), 400],
    [batch({ mutations: Array.from({ length: 201 }, () => mutation) }), 413],
    [batch({}, { id: 'x' }), 400],
    [batch({}, { key: '__proto__' }), 400],
    [batch({}, { key: 'constructor' }), 400],
    [batch({}, { key: 'a b' }), 400],
    [batch({}, { key: 'x'.repeat(65) }), 400],
    [batch({}, { kind: 'drop' }), 400],
    [batch({}, { by: 1 }), 400],
    [batch({}, { value: undefined }), 400],
    [batch({}, { base: { epoch: null } }), 400],
    [batch({}, { extra: 1 }), 400],
  ])('the body %j is refused with %i and the store is not asked', async (body, status) => {
    const store = watchStore(memoryStore())
    const browser = createWorld({ store }).browser()
    const reply = await browser.post('sync', body)
    expect(reply.status).toBe(status)
    expect(reply.headers['content-type']).toBe('application/problem+json')
    expect(reply.message).toMatchObject({ status, code: status === 413 ? 'too-large' : 'malformed' })
    expect(store.calls).toEqual([])
    expect(({} as Record<string, unknown>)['x']).toBe(undefined)
  })
})

describe('routes', () => {
  test.each([
    ['GET', '/session/nothing', 404],
    ['GET', '/session/', 404],
    ['GET', '/session/__proto__', 404],
    ['GET', '/session/toString', 404],
    ['PUT', '/session', 405],
    ['POST', '/session', 405],
    ['OPTIONS', '/session', 405],
    ['GET', '/session/sync', 405],
    ['GET', '/session/refresh', 405],
  ])('the request %s %s is answered %i', async (method, url, status) => {
    const reply = await createWorld().browser().send(url, { method })
    expect(reply.status).toBe(status)
    if (status === 405) expect(reply.headers['allow']).toMatch(/^[A-Z, ]+$/)
  })

  test.each(['/', '/sessions', '/session-worker.js', '/app/session', '/SESSION'])(
    'the path %s is not ours',
    async (url) => {
      const { sessions, browser } = createWorld()
      expect(await sessions.handle(browser().request(url))).toBe(undefined)
    },
  )

  test('every answer keeps caches and other sites out', async () => {
    const browser = createWorld().browser()
    const replies = [
      await browser.get(),
      await browser.sync([set('theme', 'x')]),
      await browser.get('', { 'if-none-match': (await browser.get()).headers['etag'] }),
      await browser.post('refresh', { epoch: null, owner: null, since: 0 }),
      await browser.post('sync', 'nonsense'),
      await browser.signOut(),
      await browser.send('/session/nothing'),
    ]
    for (const { headers } of replies) {
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        vary: 'Cookie, Origin, Sec-Fetch-Site',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(Object.keys(headers)).not.toContain('access-control-allow-origin')
    }
  })

  test('parking is the same for an owner, whatever the session, and another for another owner', async () => {
    const world = createWorld()
    const parkingOf = async (owner: string) => {
      const browser = world.browser()
      await browser.app((session) => session.signIn(owner))
      return (await browser.get()).message.parking
    }
    const [alice, again, bob] = [await parkingOf('alice'), await parkingOf('alice'), await parkingOf('bob')]
    expect(alice).toMatch(/^[\w-]{12}\.[\w-]{43}$/)
    expect(again).toBe(alice)
    expect(bob).not.toBe(alice)
  })
})
