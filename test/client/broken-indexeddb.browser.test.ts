// The browser's own IndexedDB, made to fail in each of the ways in which it fails people (Expensify/App#87844 counts
// them): the session always starts, says where it keeps its writes, and loses none while its tab lives.
import { afterEach, describe, expect, test as base, vi } from 'vitest'
import { type Session, createSession } from 'session-mirror'
import { defineSession, writable } from 'session-mirror/schema'

const schema = defineSession({ note: writable<string>({ default: '' }), visits: writable.counter() })
type Tab = Session<typeof schema>

const test = base
  /** The session's routes, and so the name of its database: no other test has the same. */
  .extend('url', () => `/sick-${crypto.randomUUID()}`)
  /** Opens a tab whose server cannot be reached. It is closed after the test. */
  .extend('open', ({ url }, { onCleanup }): (() => Promise<Tab>) => {
    const opened: Tab[] = []
    onCleanup(() => {
      for (const session of opened) session.close()
    })
    return async () => {
      const session = createSession({ schema, url, fetch: () => Promise.reject(new TypeError('offline')) })
      opened.push(session)
      await session.ready
      return session
    }
  })
  /** What a reload does to a tab: everything in memory goes, and its locks. */
  .extend('reload', ({ open }) => async (session: Tab): Promise<Tab> => {
    session.close()
    return open()
  })

afterEach(() => {
  vi.restoreAllMocks()
})

/** A request that nobody ever answers. */
const silent = (): IDBOpenDBRequest =>
  Object.create(IDBOpenDBRequest.prototype, {
    addEventListener: { value: () => undefined, configurable: true },
  }) as IDBOpenDBRequest

const fail = (name: string): never => {
  throw new DOMException('made to fail', name)
}

describe('opening', () => {
  test.for(['SecurityError', 'UnknownError', 'QuotaExceededError', 'InvalidStateError'])(
    'opening that always fails with %s leaves a session in memory that says so',
    async (name, { open }) => {
      vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail(name))
      const session = await open()
      expect(session.durability).toBe('memory')
      expect(await session.set('note', 'kept').stored).toBe('memory')
      expect(session.get('note')).toBe('kept')
    },
  )

  test('opening that fails once is tried again, on disk', async ({ open }) => {
    const real = IDBFactory.prototype.open
    let calls = 0
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(function openOnce(this: IDBFactory, ...all) {
      return ++calls === 1 ? fail('UnknownError') : real.apply(this, all)
    })
    const session = await open()
    expect(session.durability).toBe('disk')
    expect(await session.set('note', 'kept').stored).toBe('disk')
  })

  test('opening that never answers is waited for three seconds', async ({ open }) => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => silent())
    const started = performance.now()
    const session = await open()
    expect(performance.now() - started).toBeGreaterThan(2900)
    expect(session.durability).toBe('memory')
    expect(await session.set('note', 'kept').stored).toBe('memory')
  })

  test('a database of a later version is left as it is', async ({ open, url }) => {
    const session = await open()
    await session.set('note', 'of before').stored
    session.close()
    const [{ name = '' } = {}] = (await indexedDB.databases()).filter((one) => one.name?.includes(url))
    const later = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 2)
      request.addEventListener('success', () => resolve(request.result))
    })
    later.close()
    expect((await open()).durability).toBe('memory')
    expect((await indexedDB.databases()).find((one) => one.name === name)?.version).toBe(2)
  })
})

describe('a disk that was sick once', () => {
  const onDisk = (session: Tab): Promise<unknown> =>
    vi.waitFor(() => expect(session.durability).toBe('disk'), { timeout: 20_000, interval: 20 })

  test('opening that takes four seconds is adopted when it is there, with what was written meanwhile', async ({
    open,
  }) => {
    const first = await open()
    await first.set('note', 'waits on disk').stored
    first.close()
    const real = IDBFactory.prototype.open
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(function late(this: IDBFactory, ...all) {
      const request = silent()
      const listeners: [string, EventListener][] = []
      Object.defineProperties(request, {
        addEventListener: { value: (...listener: [string, EventListener]) => listeners.push(listener) },
        removeEventListener: { value: () => undefined },
      })
      setTimeout(() => {
        const opened = real.apply(this, all)
        Object.defineProperty(request, 'result', { get: () => opened.result })
        opened.addEventListener('success', (event) => {
          for (const [type, listener] of listeners) if (type === 'success') listener.call(request, event)
        })
      }, 4000)
      return request
    })
    const session = await open()
    expect(session.durability).toBe('memory')
    expect(await session.increment('visits').stored).toBe('memory')
    await onDisk(session)
    expect([session.get('note'), session.get('visits'), session.pending]).toEqual(['waits on disk', 1, 2])
  })

  test('a database without its tables is made anew', async ({ open, url }) => {
    const name = `session-mirror:${url}`
    const empty = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 1)
      request.addEventListener('success', () => resolve(request.result))
    })
    empty.close()
    const session = await open()
    expect((await indexedDB.databases()).map((one) => one.name)).toContain(name)
    expect(session.durability).toBe('disk')
    expect(await session.set('note', 'kept').stored).toBe('disk')
  })

  test('what a page without a disk has left in its tab goes onto the disk of the next one', async ({
    open,
    reload,
  }) => {
    const spy = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail('SecurityError'))
    const before = await open()
    await before.set('note', 'of memory').stored
    spy.mockRestore()
    const after = await reload(before)
    expect(after.durability).toBe('disk')
    await vi.waitFor(() => expect([after.get('note'), after.pending]).toEqual(['of memory', 1]), {
      timeout: 10_000,
    })
    // Once: it is not found again.
    const again = await reload(after)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect([again.get('note'), again.pending]).toEqual(['of memory', 1])
  })
})

describe('a database that is open', () => {
  test('a database that dies is opened again, and the write is on disk', async ({ open }) => {
    const session = await open()
    const real = IDBDatabase.prototype.transaction
    let isDead = true
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function transaction(
      this: IDBDatabase,
      ...all
    ) {
      if (!isDead) return real.apply(this, all)
      isDead = false
      return fail('InvalidStateError')
    })
    expect(await session.set('note', 'kept').stored).toBe('disk')
    const next = await open()
    expect(next.get('note')).toBe('kept')
  })

  test('a database that is dead for good leaves the session in memory, with the write', async ({ open }) => {
    const session = await open()
    const told: string[] = []
    session.on('durability', (durability) => told.push(durability))
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(() => fail('InvalidStateError'))
    expect(await session.set('note', 'kept').stored).toBe('memory')
    expect(session.get('note')).toBe('kept')
    expect(told).toEqual(['memory'])
    expect(session.pending).toBe(1)
  })

  test('a full database leaves the session in memory, with the write', async ({ open }) => {
    const session = await open()
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => fail('QuotaExceededError'))
    expect(await session.set('note', 'kept').stored).toBe('memory')
    expect(session.get('note')).toBe('kept')
  })

  test('a database that finds out only at the end that it is full leaves the session in memory, with the write', async ({
    open,
  }) => {
    const session = await open()
    vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementation(function commit(this: IDBTransaction) {
      this.abort()
    })
    expect(await session.set('note', 'kept').stored).toBe('memory')
    expect(session.get('note')).toBe('kept')
  })
})

describe('what is in the database', () => {
  async function spoil(url: string, table: string, values: Readonly<Record<string, unknown>>): Promise<void> {
    const [{ name = '' } = {}] = (await indexedDB.databases()).filter((one) => one.name?.includes(url))
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name)
      request.addEventListener('success', () => resolve(request.result))
    })
    const transaction = database.transaction(table, 'readwrite')
    for (const [key, value] of Object.entries(values)) transaction.objectStore(table).put(value, key)
    await new Promise((resolve) => transaction.addEventListener('complete', resolve))
    database.close()
  }

  test.for([
    ['a text', 'garbage'],
    ['bytes', new Uint8Array(9)],
    ['half a document', { format: 1, version: 3 }],
  ])(
    'a database may hold %s: what is whole is kept, and the session works on disk',
    async ([, value], { open, url }) => {
      const first = await open()
      await first.set('note', 'whole').stored
      first.close()
      await spoil(url, 'mirror', { mirror: value })
      await spoil(url, 'outbox', { outbox: value, 'open:0': value, 'parked:0': value })
      const session = await open()
      expect(session.durability).toBe('disk')
      expect(session.get('note')).toBe('whole')
      expect(await session.increment('visits').stored).toBe('disk')
    },
  )
})

describe('a tab in memory', () => {
  test('a tab in memory has after a reload what it had before, and sends it under the same client id', async ({
    open,
    reload,
  }) => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail('SecurityError'))
    const before = await open()
    await before.set('note', 'kept').stored
    await before.increment('visits', 3).stored
    const { client } = before.inspect().local.outbox
    const after = await reload(before)
    expect([after.get('note'), after.get('visits'), after.pending]).toEqual(['kept', 3, 2])
    expect(after.inspect().local.outbox.client).toBe(client)
  })

  test('a duplicated tab in memory begins anew: two must not send one outbox', async ({ open }) => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail('SecurityError'))
    const one = await open()
    await one.set('note', 'of the first').stored
    // The same sessionStorage, as a duplicated tab has it, while the first one lives.
    const two = await open()
    expect(two.pending).toBe(0)
    expect(two.inspect().local.outbox.client).not.toBe(one.inspect().local.outbox.client)
  })

  test('a tab whose sessionStorage is full forgets what was there rather than to send it twice', async ({
    open,
    reload,
  }) => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => fail('SecurityError'))
    const before = await open()
    await before.set('note', 'old').stored
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => fail('QuotaExceededError'))
    await before.set('note', 'new').stored
    vi.mocked(Storage.prototype.setItem).mockRestore()
    expect((await reload(before)).pending).toBe(0)
  })
})
