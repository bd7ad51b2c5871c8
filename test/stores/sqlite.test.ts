import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { type SqliteStoreOptions, sqliteStore } from '../../src/sqlite.ts'
import type { Store } from '../../src/stores/store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { inProcessTime } from '../support/process-time.ts'
import { isRoot, newDirectory, startChild } from '../support/store-processes.ts'
import { sharingTests } from '../support/store-sharing.ts'

const stores: Store[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})

const newPath = (): string => join(newDirectory(), 'sessions.sqlite')
function open(path: string, options: Omit<SqliteStoreOptions, 'path'> = {}): Store {
  const store = sqliteStore({ path, ...options })
  stores.push(store)
  return store
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
async function textAt(store: Store, key: string): Promise<string> {
  const read = await store.read(key, null)
  return read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind
}
async function tokenAt(store: Store, key: string, ttlSeconds: number | null = null): Promise<string> {
  const read = await store.read(key, ttlSeconds)
  return read.kind === 'hit' ? read.token : read.kind
}
function rows(path: string): number {
  const database = new DatabaseSync(path)
  const row = database.prepare('SELECT count(*) AS number FROM session_mirror').get()
  database.close()
  return Number(row?.['number'])
}
function inspect(path: string): void {
  const database = new DatabaseSync(path)
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  database.close()
}

describe.concurrent('the contract', () => {
  storeContract({ test: (name, run) => test(name, run, 60_000) }, () => sqliteStore({ path: newPath() }))
})

describe('several processes', () => {
  sharingTests({
    kind: 'sqlite',
    placeIn: (directory) => join(directory, 'sessions.sqlite'),
    open: (path) => sqliteStore({ path }),
    inspect,
  })

  test('a file that somebody else keeps locked is unavailable at the deadline, without blocking this process', async () => {
    const path = newPath()
    const store = open(path, { timeoutMilliseconds: 200 })
    await store.create('a', bytes('old'), 60)
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    // A blocked process has no turn until the end, however often it tries. One that waits has many, once the machine lets it.
    let turns = 0
    for (let attempt = 0; attempt < 20 && turns <= 10; attempt++) {
      turns = 0
      const timer = setInterval(() => turns++, 1)
      const { result, milliseconds } = await inProcessTime(() => store.end('a', bytes('new'), 60))
      clearInterval(timer)
      expect(result.kind).toBe('unavailable')
      expect(milliseconds).toBeLessThan(400)
    }
    expect(turns).toBeGreaterThan(10)
    // Who only reads waits for nobody.
    expect(await textAt(store, 'a')).toBe('old')
    const waiting = store.end('a', bytes('new'), 60)
    other.exec('ROLLBACK')
    expect((await waiting).kind).toBe('stored')
    other.close()
  })
})

describe('lifetimes', () => {
  test('an expired row counts as none, and makes room', async () => {
    let now = 1_000_000
    const path = newPath()
    const store = open(path, { clock: () => now })
    for (let index = 0; index < 20; index++) await store.create(`old:${index}`, bytes('x'), 10)
    const token = await tokenAt(store, 'old:0')
    now += 10_000
    expect(await textAt(store, 'old:0')).toBe('miss')
    expect((await store.replace('old:0', bytes('y'), { token, ttlSeconds: 10 })).kind).toBe('missing')
    expect((await store.create('old:0', bytes('again'), 10)).kind).toBe('stored')
    expect(await textAt(store, 'old:0')).toBe('again')
    for (let index = 0; index < 5; index++) await store.create(`new:${index}`, bytes('x'), 10)
    expect(rows(path)).toBe(6)
  })

  test('a token is never given again, not after an end, an expiry or a restart', async () => {
    let now = 1_000_000
    const path = newPath()
    const tokens = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const store = sqliteStore({ path, clock: () => now })
      await store.create('a', bytes('same'), 10)
      tokens.add(await tokenAt(store, 'a'))
      await store.end('a', bytes('same'), 10)
      tokens.add(await tokenAt(store, 'a'))
      now += 20_000
      await store.close()
    }
    expect(tokens.size).toBe(40)
  })

  test('reading moves the lifetime without writing the value again', async () => {
    let now = 1_000_000
    const path = newPath()
    const store = open(path, { clock: () => now })
    await store.create('a', new Uint8Array(500_000), 10)
    const logBytes = statSync(`${path}-wal`).size
    const token = await tokenAt(store, 'a')
    for (let round = 0; round < 20; round++) {
      now += 9000
      expect(await tokenAt(store, 'a', 10)).toBe(token)
    }
    // A page or two each time; the value would be 122.
    expect(statSync(`${path}-wal`).size - logBytes).toBeLessThan(20 * 4 * 4120)
    now += 10_000
    expect(await textAt(store, 'a')).toBe('miss')
  })
})

describe('what the disk does', () => {
  test('the log stays small when sessions are only read', async () => {
    let now = 1_000_000
    const path = newPath()
    const store = open(path, { clock: () => now })
    for (let index = 0; index < 100; index++) await store.create(`a:${index}`, new Uint8Array(2000), 600)
    for (let index = 0; index < 2000; index++) {
      now += 1000
      expect((await store.read(`a:${index % 100}`, 600)).kind).toBe('hit')
    }
    expect(statSync(`${path}-wal`).size).toBeLessThan(2_000_000)
  })

  test('a full file is unavailable, keeps what it has, and takes more when something has expired', async () => {
    let now = 1_000_000
    const path = newPath()
    const store = open(path, { maxBytes: 262_144, clock: () => now })
    const value = new Uint8Array(4000)
    let made = 0
    for (; made < 1000; made++) if ((await store.create(`a:${made}`, value, 10)).kind !== 'stored') break
    expect(made).toBeGreaterThan(20)
    expect(made).toBeLessThan(66)
    expect((await store.end('a:0', new Uint8Array(100_000), 10)).kind).toBe('unavailable')
    for (let index = 0; index < made; index++) expect((await store.read(`a:${index}`, 10)).kind).toBe('hit')
    expect(statSync(path).size).toBeLessThanOrEqual(262_144)
    now += 11_000
    expect((await store.create('new', value, 10)).kind).toBe('stored')
    inspect(path)
  })

  test('a file that the system lets grow no more is unavailable, and keeps what it has', async () => {
    const path = newPath()
    // 400 blocks of 512 bytes; in bash of 1,024.
    const said = execFileSync(
      'sh',
      [
        '-c',
        `ulimit -f 400; exec "$0" test/support/store-child.ts sqlite "$1" fill f`,
        process.execPath,
        path,
      ],
      { encoding: 'utf8' },
    )
    expect(JSON.parse(said)).toMatchObject({ kind: 'unavailable', first: 'hit' })
    inspect(path)
    const store = open(path)
    expect((await store.read('f:0', 60)).kind).toBe('hit')
    expect((await store.create('more', bytes('x'), 60)).kind).toBe('stored')
  })

  test('a deleted directory is unavailable, not an empty store; when it comes back it works', async () => {
    const directory = newDirectory()
    const path = join(directory, 'inner', 'sessions.sqlite')
    mkdirSync(join(directory, 'inner'))
    const store = open(path)
    await store.create('a', bytes('old'), 60)
    renameSync(join(directory, 'inner'), join(directory, 'elsewhere'))
    for (const answer of [
      store.read('a', 60),
      store.create('b', bytes('x'), 60),
      store.replace('a', bytes('x'), { token: 'x', ttlSeconds: 60 }),
      store.end('a', bytes('x'), 60),
    ]) {
      expect((await answer).kind).toBe('unavailable')
    }
    expect(existsSync(join(directory, 'inner'))).toBe(false)
    renameSync(join(directory, 'elsewhere'), join(directory, 'inner'))
    expect(await textAt(store, 'a')).toBe('old')
    rmSync(path)
    rmSync(`${path}-wal`, { force: true })
    rmSync(`${path}-shm`, { force: true })
    expect((await store.create('a', bytes('new'), 60)).kind).toBe('stored')
    expect(await textAt(store, 'a')).toBe('new')
  })

  test.each([
    ['text', bytes('This is not a database, but it is long enough to be looked at.'.repeat(50))],
    ['a head and nothing else', bytes(`SQLite format 3\0${'x'.repeat(4080)}`)],
  ])('a file of %s is unavailable and stays as it is', async (_name, content) => {
    const path = newPath()
    writeFileSync(path, content)
    const store = open(path)
    for (let round = 0; round < 3; round++) {
      expect((await store.read('a', 60)).kind).toBe('unavailable')
      expect((await store.create('a', bytes('x'), 60)).kind).toBe('unavailable')
    }
    expect(new Uint8Array(readFileSync(path))).toEqual(content)
  })

  test('a file that becomes corrupt never gives one key the value of another', async () => {
    const path = newPath()
    const first = sqliteStore({ path })
    for (let index = 0; index < 100; index++) await first.create(`a:${index}`, bytes(`value ${index}`), 600)
    await first.close()
    const whole = readFileSync(path)
    for (let at = 4096; at < whole.length; at += 1024) {
      writeFileSync(path, whole.fill(0xee, at, at + 256))
      const store = sqliteStore({ path })
      for (let index = 0; index < 100; index += 9) {
        expect([`value ${index}`, 'unavailable', 'miss']).toContain(await textAt(store, `a:${index}`))
      }
      await store.close()
    }
    expect(await textAt(open(path), 'a:1')).toBe('unavailable')
  })

  test('a file that may only be read is unavailable', async () => {
    const directory = newDirectory()
    const path = join(directory, 'sessions.sqlite')
    const store = sqliteStore({ path })
    await store.create('key', bytes('1'), 600)
    await store.close()
    chmodSync(path, 0o444)
    // Root may write whatever it likes; so the child is nobody.
    if (isRoot) chmodSync(directory, 0o555)
    const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {}
    const kinds = await startChild(['sqlite', path, 'each', 'key'], nobody).ended
    expect(JSON.parse(kinds)).toEqual(Array(5).fill('unavailable'))
    chmodSync(directory, 0o755)
    expect(await textAt(open(path), 'key')).toBe('1')
  })

  test('only their user can read the files', async () => {
    const path = newPath()
    await open(path).create('a', bytes('x'), 60)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('an error never leaves a file open', async () => {
    const path = newPath()
    writeFileSync(path, 'This is not a database, but it is long enough to be looked at.'.repeat(50))
    const store = open(path)
    /** Those of this very file: other tests open and close theirs meanwhile. */
    const descriptors = (): number =>
      Number(execFileSync('sh', ['-c', `ls -l /proc/${process.pid}/fd | grep -c ${path} || true`]))
    for (let round = 0; round < 50; round++) await store.read('a', 60)
    expect(descriptors()).toBeLessThanOrEqual(2)
  })
})

describe('options', () => {
  test.each<[string, SqliteStoreOptions]>([
    ['no path', { path: '' }],
    ['a database in memory', { path: ':memory:' }],
    ['a URI', { path: 'file:/tmp/x?mode=memory' }],
    ['a path that is none', { path: '/tmp/\0' }],
    ['a missing directory', { path: '/nowhere/at/all/sessions.sqlite' }],
    ['a directory', { path: '/tmp' }],
    ['a file as directory', { path: '/etc/hostname/sessions.sqlite' }],
    ['too few bytes', { path: '/tmp/never.sqlite', maxBytes: 1000 }],
    ['half a byte', { path: '/tmp/never.sqlite', maxBytes: 100_000.5 }],
    ['no number', { path: '/tmp/never.sqlite', timeoutMilliseconds: Number.NaN }],
  ])('%s is refused at the start', (_name, options) => {
    expect(() => sqliteStore(options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })

  test('a relative path stays the same file when the process goes elsewhere', async () => {
    const before = process.cwd()
    const directory = newDirectory()
    process.chdir(directory)
    const store = open('sessions.sqlite')
    process.chdir(before)
    await store.create('a', bytes('x'), 60)
    expect(existsSync(join(directory, 'sessions.sqlite'))).toBe(true)
  })
})
