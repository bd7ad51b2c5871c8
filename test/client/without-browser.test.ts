// Where there is no browser: server rendering, and tests that import a module which makes a session. Nothing of a browser is
// pretended in this file.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { type Session, createSession } from 'session-mirror'
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'
import { memoryStorage } from '../../src/mirror/storage/memory-storage.ts'

const schema = defineSession({
  user: readable<string>(),
  theme: writable<'light' | 'dark'>({ default: 'light' }),
  list: writable<readonly string[]>({ default: [] }),
  visits: writable.counter(),
  secret: hidden<string>(),
})

describe('a process that makes a session and never closes it', () => {
  test('a server that renders reads defaults, asks nobody, and ends by itself without a word', async () => {
    const script = `
      import { createSession } from 'session-mirror'
      import { defineSession, readable, writable } from 'session-mirror/schema'
      const requests = []
      globalThis.fetch = async (request) => { requests.push(request); throw new TypeError('asked') }
      const schema = defineSession({ user: readable(), theme: writable({ default: 'light' }) })
      const session = createSession({ schema, worker: '/session-worker.js', keepAlive: 'activity', boot: ['user'] })
      await session.ready
      await session.known
      session.set('theme', 'dark')
      const results = [await session.flush(), await session.pull(), await session.extend(), await session.signOut()]
      console.log(JSON.stringify([session.get('theme'), session.get('user') ?? 'nobody', results, requests.length]))
    `
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--conditions=session-mirror-source', '--input-type=module', '--eval', script],
      { cwd: join(import.meta.dirname, '../..'), timeout: 60_000 },
    )
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual([
      'light',
      'nobody',
      [{ pending: 0 }, null, false, { server: 'queued', device: 'clean' }],
      0,
    ])
  })
})

describe('a session of nobody', () => {
  test('what one rendering writes is not shown to the next, which may be for somebody else', async () => {
    const session = createSession({ schema })
    const heard: unknown[] = []
    session.subscribe((keys) => heard.push(keys))
    const writes = [
      session.set('theme', 'dark'),
      session.increment('visits'),
      session.update('list', (list) => [...list, 'a']),
      session.delete('theme'),
    ]
    expect(await Promise.all(writes.map((write) => write.stored))).toEqual(writes.map(() => 'memory'))
    expect(await Promise.all(writes.map((write) => write.acknowledged))).toEqual(
      writes.map(() => ({ code: 'discarded' })),
    )
    expect([session.get('theme'), session.get('visits'), session.get('list'), session.pending]).toEqual([
      'light',
      0,
      [],
      0,
    ])
    expect(heard).toEqual([])
  })

  test('the state of a session of nobody is the same at each read, and says that nobody was asked', async () => {
    const session = createSession({ schema })
    await session.signOut({ everywhere: true })
    expect(session.status).toBe(session.status)
    expect([session.status, session.owner, session.expiresAt, session.durability]).toEqual([
      { state: 'stale', reason: 'unchecked' },
      null,
      null,
      'memory',
    ])
    expect([session.inspect().contact, await session.diagnose()]).toEqual(['none', []])
    session.close()
    session.close()
  })

  test('wrong use is refused as in a browser', () => {
    const session = createSession({ schema }) as unknown as Record<
      'get' | 'set' | 'subscribe' | 'on',
      (...given: unknown[]) => unknown
    >
    expect(() => session.get('thema')).toThrow(expect.objectContaining({ code: 'unknown-key' }))
    expect(() => session.get('secret')).toThrow(expect.objectContaining({ code: 'denied' }))
    expect(() => session.set('user', 'Eve')).toThrow(expect.objectContaining({ code: 'denied' }))
    expect(() => session.subscribe('thema', () => undefined)).toThrow(
      expect.objectContaining({ code: 'unknown-key' }),
    )
    expect(() => session.on('expired', () => undefined)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
  })
})

describe('a test in Node that brings a part of a browser', () => {
  /** Closes the session when the test is over. */
  async function using(session: Session<typeof schema>, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } finally {
      session.close()
    }
  }

  test('with its own fetch a session asks, by a relative url too, and keeps what it knows in memory', async () => {
    const urls: string[] = []
    const session = createSession({
      schema,
      fetch: async ({ url }) => {
        urls.push(url)
        throw new TypeError('offline')
      },
    })
    await using(session, async () => {
      await session.known
      expect(urls).toEqual(['http://localhost/session'])
      expect([session.status, session.durability]).toEqual([{ state: 'stale', reason: 'offline' }, 'memory'])
      session.set('theme', 'dark')
      expect(session.get('theme')).toBe('dark')
    })
  })

  test('with its own storage a session is a whole one', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('offline')
    })
    const session = createSession({ schema, storage: memoryStorage() })
    await using(session, async () => {
      await session.ready
      session.set('theme', 'dark')
      expect([session.get('theme'), session.pending]).toEqual(['dark', 1])
    })
    vi.unstubAllGlobals()
  })

  test('a subscriber that throws is told to the process, and stops nobody else', async () => {
    const session = createSession({
      schema,
      storage: memoryStorage(),
      fetch: () => Promise.reject(new TypeError()),
    })
    const heard: unknown[] = []
    vi.stubGlobal('reportError', (error: unknown) => heard.push(String(error)))
    await using(session, async () => {
      await session.ready
      session.subscribe('theme', () => {
        throw new Error('of the app')
      })
      session.subscribe('theme', (theme) => heard.push(theme))
      session.set('theme', 'dark')
      expect(heard).toEqual(['Error: of the app', 'dark'])
    })
    vi.unstubAllGlobals()
  })
})
