// Everything that the server signs, derives or hands out, in every place that takes one of them. Each is good for
// the one thing that it was made for: as anything else, for another session or from another app it is refused.
import { describe, expect, test as base } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { encodeCookie, verifyCookie } from '../../../src/server/codec/cookie.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { type KeyPurpose, createKeyRing } from '../../../src/server/codec/key-ring.ts'
import type { Store } from '../../../src/stores/store.ts'
import { type World, code, createWorld, secrets, watchStore } from '../harness.ts'

const otherSecrets = ['the secret of another app, as long as it must be']
const nothing = { epoch: null, owner: null, since: 0 }
const ring = createKeyRing(secrets, nodeCrypto)
const otherRing = createKeyRing(otherSecrets, nodeCrypto)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

type Case = Awaited<ReturnType<typeof createCase>>

/** Names of the tokens of alice that something takes; bob's and the stranger's must all be refused. */
type Accepted = (accepts: (token: string) => Promise<boolean>) => Promise<readonly string[]>

const test = base
  .extend('store', { scope: 'file' }, () => watchStore(memoryStore({ clock: () => 1_800_000_000_000 })))
  .extend('world', { scope: 'file' }, ({ store }) => createWorld({ store, rotateSeconds: 1 }))
  .extend('alice', { scope: 'file' }, ({ world }): Promise<Case> => createCase(world, 'alice'))
  .extend('bob', { scope: 'file' }, ({ world }): Promise<Case> => createCase(world, 'bob'))
  /** Of an app with another secret, in the same store. */
  .extend('stranger', { scope: 'file' }, ({ store }): Promise<Case> => {
    const other = createWorld({ store, rotateSeconds: 1, secrets: otherSecrets })
    return createCase(other, 'alice', otherRing)
  })
  .extend('accepted', ({ store, alice, bob, stranger }): Accepted => async (accepts) => {
    await store.end(alice.key, alice.record, 3600)
    const names: string[] = []
    const cases = { '': alice, 'bob’s ': bob, 'a stranger’s ': stranger }
    for (const [prefix, { tokens }] of Object.entries(cases)) {
      for (const [name, token] of Object.entries(tokens)) if (await accepts(token)) names.push(prefix + name)
    }
    return names
  })

/** A user's session, everything that was ever made for it, and its browser as it was at first. */
async function createCase({ sessions, store, sleep, ...app }: World, owner: string, caseRing = ring) {
  const browser = app.browser()
  await browser.app((session) => {
    session.signIn(owner)
    session.set('secret', `only ${owner} knows`)
  })
  const { message, headers } = await browser.get()
  const { epoch, parking } = message
  const key = (await sessions.inspect(browser.request('/'))).storeKey ?? ''
  const record = await read(store, key)
  sleep(1)
  const current = browser.copy()
  await current.post('refresh', nothing)
  const moved = await read(store, key)
  const nextKey = (await sessions.inspect(current.request('/'))).storeKey ?? ''
  const nextRecord = await read(store, nextKey)
  // As if it had not moved: ends it where it was, so that all three are signed for one key.
  await store.end(key, record, 3600)
  await browser.copy().signOut()
  const tombstone = await read(store, key)
  const listKey = `smo1:${caseRing.newest.mac['owner-key'](owner)}`
  const list = await read(store, listKey)
  const cookie = browser.cookie.replace('session=', '')
  const { sid = '', keyId = '' } = verifyCookie(cookie, caseRing, nodeCrypto) ?? {}
  const [parkingId = '', parkingKey = ''] = (parking ?? '').split('.')
  const tokens = {
    cookie,
    'cookie after the move': current.cookie.replace('session=', ''),
    'cookie without its MAC': cookie.slice(0, -44),
    'MAC of a cookie': cookie.slice(-43),
    record: textOf(record),
    'JSON of a record': textOf(record).slice(54),
    moved: textOf(moved),
    nonce: JSON.parse(textOf(moved).slice(54)).nonce,
    tombstone: textOf(tombstone),
    'record after the move': textOf(nextRecord),
    list: textOf(list),
    'list key': listKey,
    'store key': key,
    'MAC of a store key': key.slice(4),
    'store key after the move': nextKey,
    parking: parking ?? '',
    'parking id': parkingId,
    'parking key': parkingKey,
    'session id': sid,
    'random part of a session id': sid.slice(6),
    'key id': keyId,
    epoch: epoch ?? '',
    'revision header': headers['session-revision'] ?? '',
    etag: headers['etag'] ?? '',
    owner,
  }
  for (const [name, token] of Object.entries(tokens)) {
    if (token === '') throw new Error(`There is no ${name}.`)
  }
  return { browser, owner, key, listKey, list, sid, epoch, record, moved, tombstone, tokens }
}

async function read(store: Store, key: string): Promise<Uint8Array> {
  const found = await store.read(key, 3600)
  if (found.kind !== 'hit') throw new Error(`${key} is not there.`)
  return found.value
}

describe('the only thing that is taken', () => {
  test('nothing but a cookie of this app is taken as a cookie, and for the rest the store is not even asked', async ({
    store,
    world,
    accepted,
  }) => {
    const names = await accepted(async (token) => {
      const browser = world.browser()
      browser.cookie = `session=${token}`
      store.calls.length = 0
      const { status, message, cookies } = await browser.get()
      const isRefused = status === 200 && message.epoch === null && cookies.length === 0
      expect(isRefused).toBe(store.calls.length === 0)
      return !isRefused
    })
    const own = ['cookie', 'cookie after the move']
    expect(names).toEqual([...own, ...own.map((name) => `bob’s ${name}`)])
  })

  test('nothing but what was stored for that very key is taken as a stored value', async ({
    store,
    alice,
    accepted,
  }) => {
    const names = await accepted(async (token) => {
      await store.end(alice.key, bytesOf(token), 3600)
      const { status, code: refusal, body } = await alice.browser.copy().get()
      expect(body).not.toContain('bob')
      return status !== 409 || refusal !== 'lost'
    })
    expect(names).toEqual(['record', 'moved', 'tombstone'])
  })

  test('nothing but that owner’s list is taken as an owner’s list', async ({
    store,
    world,
    alice,
    accepted,
  }) => {
    const names = await accepted(async (token) => {
      await store.end(alice.listKey, bytesOf(token), 3600)
      return (await world.sessions.list('alice')).length > 0
    })
    expect(names).toEqual(['list'])
  })

  test('a cookie in which the session id was replaced is no cookie', async ({
    store,
    world,
    alice,
    accepted,
  }) => {
    const names = await accepted(async (token) => {
      const text = alice.tokens.cookie.replace(alice.sid, token)
      if (token === alice.sid) return false
      const browser = world.browser()
      browser.cookie = `session=${text}`
      store.calls.length = 0
      await browser.get()
      return store.calls.length > 0
    })
    expect(names).toEqual([])
  })

  test('nothing but the epoch is taken for `Session-Epoch`, when the app is asked and at a sign-out', async ({
    store,
    alice,
    accepted,
  }) => {
    const ofApp = await accepted(async (token) => {
      const load = alice.browser.copy().app((session) => session.get('secret'), { 'session-epoch': token })
      const result = await load.catch((error: unknown) => error)
      if (result !== 'only alice knows') expect(result).toEqual(code('epoch-mismatch'))
      return result === 'only alice knows'
    })
    expect(ofApp).toEqual(['epoch'])
    const ofSignOut = await accepted(async (token) => {
      await store.end(alice.key, alice.record, 3600)
      const reply = await alice.browser.copy().signOut({ 'session-epoch': token })
      if (reply.status !== 200) expect(reply.code).toBe('epoch-mismatch')
      return reply.status === 200
    })
    expect(ofSignOut).toEqual(['epoch'])
  })

  test('nothing but the epoch, with its owner, is taken for the epoch of a message', async ({
    alice,
    accepted,
  }) => {
    const inBody = await accepted(async (token) => {
      const reply = await alice.browser.copy().post('sync', { ...nothing, epoch: token, owner: 'alice' })
      if (reply.status !== 200) expect(['malformed', 'epoch-mismatch']).toContain(reply.code)
      return reply.status === 200
    })
    expect(inBody).toEqual(['epoch'])
    const owners = await accepted(async (token) => {
      const reply = await alice.browser.copy().post('sync', { ...nothing, epoch: alice.epoch, owner: token })
      return reply.status === 200
    })
    // A name, no secret: the stranger's user is called the same.
    expect(owners).toEqual(['owner', 'a stranger’s owner'])
  })

  test('nothing but the epoch in the query, and the tag in If-None-Match, is taken for what a reader knows', async ({
    alice,
    accepted,
  }) => {
    const inQuery = await accepted(async (token) => {
      const reply = await alice.browser.copy().get(`?since=1&epoch=${encodeURIComponent(token)}`)
      expect(reply.status).toBe(200)
      return reply.message.since !== null
    })
    expect(inQuery).toEqual(['epoch'])
    const asTag = await accepted(async (token) => {
      return (await alice.browser.copy().get('', { 'if-none-match': token })).status === 304
    })
    expect(asTag).toEqual(['etag'])
  })
})

describe('a key of the ring', () => {
  const purposes = Object.keys(ring.newest.mac) as KeyPurpose[] // Its own keys.

  test('a key of the ring never gives what another one gives, nor what one of another secret gives', () => {
    const made = [ring.newest, otherRing.newest].flatMap(({ id, mac }) => [
      id,
      ...purposes.map((purpose) => mac[purpose]('text')),
    ])
    expect(purposes).toHaveLength(9)
    expect(new Set(made).size).toBe(2 * 10)
  })

  test('a key signs records only when it is the one for records', async ({ store, alice }) => {
    const json = alice.tokens['JSON of a record']
    const taken: string[] = []
    for (const purpose of purposes) {
      for (const signed of [`${alice.key}\n${json}`, json, `${alice.sid}\n${json}`]) {
        const value = `r1.${ring.newest.id}.${ring.newest.mac[purpose](signed)}.${json}`
        await store.end(alice.key, bytesOf(value), 3600)
        if ((await alice.browser.copy().get()).code !== 'lost') taken.push(`${purpose}: ${signed}`)
      }
    }
    expect(taken).toEqual([`record: ${alice.key}\n${json}`])
  })
})

describe('in the store', () => {
  test.for(['record', 'moved', 'tombstone'] as const)(
    'a %s that changed places with another user’s is lost, for both',
    async (kind, { store, alice, bob }) => {
      await store.end(alice.key, bob[kind], 3600)
      await store.end(bob.key, alice[kind], 3600)
      for (const { browser } of [alice, bob]) {
        const one = browser.copy()
        expect(await one.get()).toMatchObject({ status: 409, code: 'lost', cookies: [] })
        expect(await one.post('refresh', nothing)).toMatchObject({ status: 409, code: 'lost', cookies: [] })
        await expect(one.app((session) => session.get('secret'))).rejects.toEqual(code('lost'))
      }
      await store.end(alice.key, alice.record, 3600)
      expect((await alice.browser.copy().get()).message.owner).toBe('alice')
    },
  )

  test('another app’s record is lost, also under the id that its cookie would name', async ({
    store,
    world,
    alice,
    stranger,
  }) => {
    await store.end(alice.key, stranger.record, 3600)
    expect((await alice.browser.copy().get()).code).toBe('lost')
    // Signed by this app, for a session id of the other one: not even looked for.
    const cookie = verifyCookie(alice.tokens.cookie, ring, nodeCrypto)
    if (cookie === undefined) throw new Error('The cookie was valid before.')
    const browser = world.browser()
    browser.cookie = `session=${encodeCookie({ ...cookie, sid: stranger.sid as typeof cookie.sid }, ring)}`
    store.calls.length = 0
    expect((await browser.get()).code).toBe('lost')
    expect(store.calls).toEqual([])
  })
})
