// Mistakes in what is given to the doors of the server and the stores: each is refused at once, with a sentence that
// says what was meant.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cookieStore, spillStore } from '../../src/cookie.ts'
import { sessionPlugin } from '../../src/fastify.ts'
import { fileStore } from '../../src/file.ts'
import { memcachedStore } from '../../src/memcached.ts'
import { memoryStore } from '../../src/memory.ts'
import { sessionMiddleware } from '../../src/node.ts'
import { nearestName } from '../../src/protocol/check-options.ts'
import { SessionError, createSessions } from '../../src/server.ts'
import { defineSession, hidden, readable, writable } from '../../src/schema.ts'
import { sqliteStore } from '../../src/sqlite.ts'
import { createTestServer } from '../../src/testing.ts'
import { unstorageStore } from '../../src/unstorage.ts'
import { sessionMirror } from '../../src/vite.ts'

const secret = 'a secret of the tests that is long enough'
const schema = defineSession({ user: readable<string>(), theme: writable<string>({ default: 'light' }) })
const good = { schema, secrets: [secret], store: memoryStore() }
const storage = { getItemRaw: async () => null, setItemRaw: async () => {}, removeItem: async () => {} }
const sessions = createSessions(good)
const files = mkdtempSync(join(tmpdir(), 'session-mirror-options-'))

/** As an app without TypeScript calls it. */
type Door = (options: unknown) => unknown

const any = (value: unknown): never => value as never // What an app without TypeScript may give.
const spread = (value: unknown): object => value as object // As above.
const doors = {
  createSessions: (options) => createSessions(any({ ...good, ...spread(options) })),
  cookie: (cookie) => createSessions(any({ ...good, cookie })),
  memoryStore: (options) => memoryStore(any(options)),
  cookieStore: (options) => cookieStore(any(options)),
  spillStore: (options) => spillStore(cookieStore(), memoryStore(), any(options)),
  fileStore: (options) => fileStore(any({ directory: files, ...spread(options) })),
  sqliteStore: (options) => sqliteStore(any({ path: join(files, 'a.sqlite'), ...spread(options) })),
  unstorageStore: (options) => unstorageStore(storage, any(options)),
  memcachedStore: (options) => memcachedStore(any({ servers: '127.0.0.1:11211', ...spread(options) })),
  serversOfMemcached: (server) => memcachedStore({ servers: [any(server)] }),
  sessionMiddleware: (options) => sessionMiddleware(sessions, any(options)),
  signIn: async (options) => (await anonymous()).signIn('ada', any(options)),
  destroy: async (options) => (await anonymous()).destroy(any(options)),
  revokeAll: (options) => sessions.revokeAll('ada', any(options)),
  hidden: (options) => withKey(hidden(any(options))),
  writable: (options) => withKey(writable(any(options))),
  counter: (options) => withKey(Reflect.apply(writable.counter, undefined, [options])),
  createTestServer: (options) => createTestServer(any({ schema, ...spread(options) })),
  sessionMirror: (options) => sessionMirror(any(options)),
} as const satisfies Record<string, Door>

function anonymous() {
  return sessions.load(new Request('http://localhost/'))
}

function withKey(key: unknown) {
  return createSessions({ ...good, schema: defineSession(any({ note: key })) })
}

async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError)
    expect(error).toMatchObject({ code: 'invalid-option' })
    return String((error as Error).message) // An error, as was looked at.
  }
  return 'nothing was refused'
}

describe('a name that a door does not have is refused with the name that was meant', () => {
  test.each<[keyof typeof doors, unknown, string]>([
    ['createSessions', { trustedProxy: 1 }, '"trustProxy"'],
    ['createSessions', { TrustProxy: 1 }, '"trustProxy"'],
    ['createSessions', { 'trust proxy': 1 }, '"trustProxy"'],
    ['createSessions', { secret }, 'secrets'],
    ['createSessions', { password: secret }, 'secrets'],
    ['createSessions', { maxAge: 1 }, 'idleTimeoutSeconds'],
    ['createSessions', { ttl: 1 }, 'idleTimeoutSeconds'],
    ['createSessions', { idleTimeout: 1 }, '"idleTimeoutSeconds"'],
    ['createSessions', { idleTimeoutSecond: 1 }, '"idleTimeoutSeconds"'],
    ['createSessions', { rolling: true }, 'rolling'],
    ['createSessions', { resave: false }, 'never stored again'],
    ['createSessions', { saveUninitialized: false }, 'once it has a value'],
    ['createSessions', { name: 'sid' }, 'cookie: { name }'],
    ['createSessions', { allowedOrigin: [] }, '"allowedOrigins"'],
    ['createSessions', { autosave: false }, '"autoSave"'],
    ['createSessions', { onLsot: 'refuse' }, '"onLost"'],
    ['createSessions', { trustedProxy: undefined }, '"trustProxy"'],
    ['createSessions', { whatever: 1 }, 'It has schema, secrets, store'],
    ['cookie', { maxAge: 1 }, 'idleTimeoutSeconds'],
    ['cookie', { samesite: 'Lax' }, '"sameSite"'],
    ['cookie', { httpOnly: true }, 'always HttpOnly'],
    ['cookie', { domain: 'a.example' }, '__Host-'],
    ['cookie', { persistant: true }, '"persistent"'],
    ['memoryStore', { maxSession: 5 }, '"maxSessions"'],
    ['memoryStore', { ttl: 5 }, 'idleTimeoutSeconds'],
    ['cookieStore', { maxbytes: 5 }, '"maxBytes"'],
    ['cookieStore', { secret }, 'secrets'],
    ['spillStore', { tombstone: true }, '"tombstones"'],
    ['fileStore', { path: '/tmp' }, 'directory'],
    ['fileStore', { timeoutMs: 5 }, '"timeoutMilliseconds"'],
    ['sqliteStore', { filename: 'a' }, 'path'],
    ['sqliteStore', { maxByte: 5 }, '"maxBytes"'],
    ['unstorageStore', { ttl: 5 }, 'idleTimeoutSeconds'],
    ['unstorageStore', { durabilty: 'disk' }, '"durability"'],
    ['memcachedStore', { server: 'a:1' }, '"servers"'],
    ['memcachedStore', { hosts: ['a:1'] }, 'servers'],
    ['memcachedStore', { timeout: 5 }, 'timeoutMilliseconds'],
    ['memcachedStore', { maxInflight: 5 }, '"maxInFlight"'],
    ['serversOfMemcached', { host: 'a', port: 1 }, 'address'],
    ['serversOfMemcached', { name: 'a', adress: 'a:1' }, '"address"'],
    ['sessionMiddleware', { onerror: () => {} }, '"onError"'],
    ['sessionMiddleware', { secret }, 'createSessions'],
    ['signIn', { remember: true }, 'persistent'],
    ['signIn', { persistant: true }, '"persistent"'],
    ['signIn', { cary: ['theme'] }, '"carry"'],
    ['destroy', { everyWhere: true }, '"everywhere"'],
    ['destroy', { all: true }, 'everywhere'],
    ['revokeAll', { exept: 'x' }, '"except"'],
    ['hidden', { defualt: 'x' }, '"default"'],
    ['hidden', { validator: {} }, 'first argument'],
    ['writable', { polcy: 'if-unchanged' }, '"policy"'],
    ['writable', { merge: () => 1 }, 'policy'],
    ['counter', { default: 5 }, 'begins at 0'],
    ['createTestServer', { store: memoryStore() }, 'has its own'],
    ['createTestServer', { idleTimeout: 5 }, '"idleTimeoutSeconds"'],
    ['sessionMirror', { paht: '/a.js' }, '"path"'],
    ['sessionMirror', { plugin: () => [] }, '"plugins"'],
  ])('%s given %j names the option that was meant', async (door, options, meant) => {
    const message = await messageOf(() => doors[door](options))
    const [name = ''] = Object.keys(options as object).filter((one) => one !== 'name')
    expect(message).toContain(meant)
    expect(message).toContain(`"${name}"`.replace('""', '"name"'))
    expect(message).not.toContain(secret)
  })
})

describe('a value of another kind is refused with what was given', () => {
  test.each<[keyof typeof doors, unknown, string, string]>([
    ['createSessions', { autoSave: 'false' }, 'autoSave', 'the text "false"'],
    ['createSessions', { allowNonBrowser: 'true' }, 'allowNonBrowser', 'the text "true"'],
    ['createSessions', { allowNonBrowser: 1 }, 'allowNonBrowser', 'not 1'],
    ['createSessions', { guardChanges: null }, 'guardChanges', 'not null'],
    ['createSessions', { idleTimeoutSeconds: '3600' }, 'idleTimeoutSeconds', 'the text "3600"'],
    ['createSessions', { idleTimeoutSeconds: Number.NaN }, 'idleTimeoutSeconds', 'not NaN'],
    ['createSessions', { rotateSeconds: Infinity }, 'rotateSeconds', 'not Infinity'],
    ['createSessions', { heartbeatSeconds: [25] }, 'heartbeatSeconds', 'a list'],
    ['createSessions', { trustProxy: true }, 'trustProxy', 'not true'],
    ['createSessions', { trustProxy: '1' }, 'trustProxy', 'the text "1"'],
    [
      'createSessions',
      { allowedOrigins: 'https://a.example' },
      'allowedOrigins',
      'the text "https://a.example"',
    ],
    ['createSessions', { allowedOrigins: [7] }, 'allowedOrigins', 'a list'],
    ['createSessions', { clock: 5 }, 'clock', 'not 5'],
    ['createSessions', { feed: {} }, 'feed', 'an object'],
    ['createSessions', { store: memoryStore }, 'store', 'a function'],
    ['createSessions', { store: Promise.resolve(memoryStore()) }, 'store', 'a promise'],
    ['createSessions', { schema: {} }, 'schema', 'an object'],
    ['createSessions', { secrets: secret }, 'secrets', 'a text'],
    ['createSessions', { base: 7 }, 'base', 'not 7'],
    ['createSessions', { cookie: 'sid' }, 'cookie', 'the text "sid"'],
    ['cookie', { secure: 'false' }, 'secure', 'the text "false"'],
    ['cookie', { sameSite: 'lax' }, 'sameSite', 'the text "lax"'],
    ['cookie', { sameSite: true }, 'sameSite', 'not true'],
    ['cookie', { persistent: 'no' }, 'persistent', 'the text "no"'],
    ['cookie', { partitioned: 0 }, 'partitioned', 'not 0'],
    ['memoryStore', { maxSessions: '5' }, 'maxSessions', 'the text "5"'],
    ['memoryStore', { maxSessions: Number.NaN }, 'maxSessions', 'NaN'],
    ['cookieStore', { maxBytes: '5' }, 'maxBytes', 'the text "5"'],
    ['spillStore', { tombstones: 'false' }, 'tombstones', 'the text "false"'],
    ['fileStore', { directory: 5 }, 'directory', 'not 5'],
    ['fileStore', { timeoutMilliseconds: '5' }, 'timeoutMilliseconds', 'the text "5"'],
    ['sqliteStore', { path: new URL('file:///a') }, 'path', 'an object'],
    ['unstorageStore', { durability: 'memory' }, 'durability', 'the text "memory"'],
    ['memcachedStore', { servers: 11211 }, 'servers', 'not 11211'],
    ['memcachedStore', { copies: '2' }, 'copies', 'the text "2"'],
    ['memcachedStore', { tls: 'true' }, 'tls', 'the text "true"'],
    ['memcachedStore', { password: 12345678 }, 'password', 'a number'],
    ['sessionMiddleware', { onError: true }, 'onError', 'not true'],
    ['signIn', { persistent: 'false' }, 'persistent', 'the text "false"'],
    ['signIn', { carry: 'theme' }, 'carry', 'the text "theme"'],
    ['destroy', { everywhere: 'false' }, 'everywhere', 'the text "false"'],
    ['revokeAll', { except: null }, 'except', 'not null'],
    ['writable', { policy: 'last-writes-win' }, 'policy', 'the text "last-writes-win"'],
    ['writable', { policy: {} }, 'policy', 'an object'],
    ['sessionMirror', { msw: 'false' }, 'msw', 'the text "false"'],
  ])('%s given %j says which kind it takes and what it was given', async (door, options, name, shown) => {
    const message = await messageOf(() => doors[door](options))
    expect(message).toContain(name)
    expect(message).toContain(shown)
    expect(message).not.toContain(secret)
    expect(message).not.toContain('12345678')
  })
})

describe('what is missing is named', () => {
  test.each<[string, () => unknown, string]>([
    ['createSessions({})', () => createSessions(any({})), '"schema"'],
    [
      'createSessions without secrets',
      () => createSessions(any({ schema, store: memoryStore() })),
      '"secrets"',
    ],
    ['createSessions without a store', () => createSessions(any({ schema, secrets: [secret] })), '"store"'],
    ['memcachedStore({})', () => memcachedStore(any({})), '"servers"'],
    ['sqliteStore({})', () => sqliteStore(any({})), '"path"'],
    ['fileStore({})', () => fileStore(any({})), '"directory"'],
    ['createTestServer({})', () => createTestServer(any({})), '"schema"'],
  ])('%s names what is missing', async (_, run, name) => {
    expect(await messageOf(run)).toContain(name)
  })

  test('a secret that is not set is a sentence, too', () => {
    expect(() => createSessions({ ...good, secrets: any([undefined]) })).toThrow(
      /secrets\[0\] must be a text/,
    )
    expect(() => createSessions({ ...good, secrets: [] })).toThrow(/secrets is empty/)
  })
})

describe('what is no object of options is refused, and not shown', () => {
  test.each<[string, (given: unknown) => unknown]>([
    ['createSessions', (given) => createSessions(any(given))],
    ['memcachedStore', (given) => memcachedStore(any(given))],
    ['sqliteStore', (given) => sqliteStore(any(given))],
    ['fileStore', (given) => fileStore(any(given))],
    ['memoryStore', (given) => memoryStore(any(given))],
    ['cookieStore', (given) => cookieStore(any(given))],
    ['sessionMirror', (given) => sessionMirror(any(given))],
    ['defineSession', (given) => defineSession(any(given))],
    ['sessionMiddleware', (given) => sessionMiddleware(any(given))],
    ['sessionPlugin', (given) => sessionPlugin(any(given))],
    ['spillStore', (given) => spillStore(any(given), memoryStore())],
    ['spillStore', (given) => spillStore(cookieStore(), any(given))],
    ['unstorageStore', (given) => unstorageStore(any(given))],
  ])('%s refuses what is no object of options, and does not show it', async (name, door) => {
    for (const given of ['sesame', 5, null, ['sesame'], true]) {
      const message = await messageOf(() => door(given))
      expect(message).toContain(name)
      expect(message).not.toContain('sesame')
    }
  })

  test.each([{ user: 'text' }, { user: undefined }, { user: null }, { user: readable }, { user: {} }])(
    'defineSession(%j) names the key that is none',
    async (keys) => {
      expect(await messageOf(() => defineSession(any(keys)))).toContain('"user"')
    },
  )

  test('an owner that is no text is refused by every method that takes one', async () => {
    for (const owner of [undefined, null, 7, {}]) {
      expect(await messageOf(() => sessions.list(any(owner)))).toContain('list')
      expect(await messageOf(() => sessions.revoke(any(owner), 'x'))).toContain('revoke')
      expect(await messageOf(() => sessions.revokeAll(any(owner)))).toContain('revokeAll')
      expect(await messageOf(() => sessions.getById(any(owner), 'x'))).toContain('getById')
    }
  })
})

describe('good options', () => {
  test('an option that is undefined counts as not given', () => {
    const options = { clock: undefined, crypto: undefined, channels: undefined, cookie: undefined }
    expect(() => createSessions(any({ ...good, ...options }))).not.toThrow()
    expect(() => memcachedStore(any({ servers: '127.0.0.1:1', tls: undefined }))).not.toThrow()
  })

  test('the nearest name is one that differs in a third of its letters at most', () => {
    expect(nearestName('mxaAge', ['maxAge', 'path'])).toBe('maxAge')
    expect(nearestName('path', ['worker', 'msw'])).toBeUndefined()
    expect(nearestName('zzz', [])).toBeUndefined()
  })
})
