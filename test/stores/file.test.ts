import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type FileStoreOptions, fileStore } from '../../src/file.ts'
import { createLocks } from '../../src/stores/file/locks.ts'
import { type Holder, createHolder } from '../../src/stores/file/holder.ts'
import { createSweeper } from '../../src/stores/file/sweeper.ts'
import type { Store } from '../../src/stores/store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { isRoot, newDirectory, startChild } from '../support/store-processes.ts'
import { sharingTests } from '../support/store-sharing.ts'
import { sleep } from '../support/waiting.ts'

const stores: Store[] = []
const holders: Holder[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await Promise.all(holders.splice(0).map((holder) => holder.leave()))
})

function open(directory: string, options: Omit<FileStoreOptions, 'directory'> = {}): Store {
  const store = fileStore({ directory, ...options })
  stores.push(store)
  return store
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const nameOf = (key: string): string => createHash('sha256').update(key).digest('hex')
const pathOf = (directory: string, key: string): string =>
  join(directory, nameOf(key).slice(0, 2), nameOf(key))
async function textAt(store: Store, key: string): Promise<string> {
  const read = await store.read(key, null)
  return read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind
}

describe.concurrent('the contract', () => {
  storeContract({ test: (name, run) => test(name, run, 60_000) }, () =>
    fileStore({ directory: newDirectory() }),
  )
})

describe('several processes', () => {
  sharingTests({
    kind: 'file',
    placeIn: (directory) => directory,
    open: (directory) => fileStore({ directory }),
  })

  test('a reader sees the old value or the new one, never half of one', async () => {
    const directory = newDirectory()
    const [writer, reader] = [open(directory), open(directory)]
    const values = ['a', 'b'].map((letter) => bytes(letter.repeat(300_000)))
    await writer.end('key', values[0] ?? bytes(''), 60)
    const writing = (async () => {
      for (let round = 0; round < 100; round++) await writer.end('key', values[round % 2] ?? bytes(''), 60)
      return 'done'
    })()
    let reads = 0
    while ((await Promise.race([writing, sleep(0)])) !== 'done') {
      const text = await textAt(reader, 'key')
      expect(new Set(text).size === 1 && text.length === 300_000).toBe(true)
      reads++
    }
    expect(reads).toBeGreaterThan(20)
  })
})

describe('locks', () => {
  function newHolder(directory: string): Holder {
    const holder = createHolder(directory)
    holders.push(holder)
    return holder
  }
  const dead = (number: number): string =>
    `${String(number).padStart(16, '0')}.${String(number).padStart(12, '0')}`

  test('a dead holder, and those that died while they took its lock, are passed by; of many only one holds it', async () => {
    const directory = newDirectory()
    const path = join(directory, 'lock')
    let [inside, most, runs] = [0, 0, 0]
    for (let round = 0; round < 20; round++) {
      symlinkSync(dead(1), path)
      if (round % 2 === 1) symlinkSync(dead(2), `${path}.${dead(1).slice(17)}`)
      if (round % 4 === 3) symlinkSync(dead(3), `${path}.${dead(1).slice(17)}.${dead(2).slice(17)}`)
      const takers = Array.from({ length: 12 }, () => createLocks(newHolder(directory), 5000))
      await Promise.all(
        takers.map((locks) =>
          locks.hold(path, async () => {
            most = Math.max(most, ++inside)
            await sleep(Math.random() * 2)
            inside--
            runs++
          }),
        ),
      )
      await Promise.all(holders.splice(0).map((holder) => holder.leave()))
      expect(readdirSync(directory)).toEqual([])
    }
    expect([most, runs]).toEqual([1, 240])
  })

  test('a holder that lives keeps its lock, however long it takes', async () => {
    const directory = newDirectory()
    const path = join(directory, 'lock')
    const [first, second] = [newHolder(directory), newHolder(directory)]
    let wasHeld = false
    const holding = createLocks(first, 100).hold(path, async () => {
      await expect(createLocks(second, 300).hold(path, async () => undefined)).rejects.toThrow('is held by')
      wasHeld = true
    })
    await holding
    expect(wasHeld).toBe(true)
    await createLocks(second, 300).hold(path, async () => undefined)
  })

  test('a holder that throws frees its lock', async () => {
    const directory = newDirectory()
    const locks = createLocks(newHolder(directory), 100)
    await expect(
      locks.hold(join(directory, 'lock'), () => Promise.reject(new Error('mine'))),
    ).rejects.toThrow('mine')
    await locks.hold(join(directory, 'lock'), async () => undefined)
  })

  test('a process that is stopped while it holds a lock blocks that session, not another one; no write is lost', async () => {
    const directory = newDirectory()
    const store = open(directory, { timeoutMilliseconds: 300 })
    await store.create('race', bytes('0'), 600)
    // Stopped at a random moment, it has the lock now and then; so until it does.
    let wasBlocked = false
    for (let round = 0; round < 40 && !wasBlocked; round++) {
      const child = startChild(['file', directory, 'race', 'race'])
      await expect.poll(() => child.said(), { interval: 2 }).not.toBe('')
      child.child.kill('SIGSTOP')
      const before = await textAt(store, 'race')
      const answer = await store.end('race', bytes('-1000'), 600)
      wasBlocked = answer.kind === 'unavailable'
      expect((await store.end('other', bytes('x'), 600)).kind).toBe('stored')
      if (wasBlocked) expect(await textAt(store, 'race')).toBe(before)
      child.child.kill('SIGKILL')
      await child.ended
      expect((await store.end('race', bytes('0'), 600)).kind).toBe('stored')
      expect(await textAt(store, 'race')).toBe('0')
    }
    expect(wasBlocked).toBe(true)
  })

  test('a store that closes finishes what it was asked to do first', async () => {
    const directory = newDirectory()
    const store = fileStore({ directory })
    const writes = Array.from({ length: 20 }, (_, index) => store.end(`a:${index}`, bytes('x'), 60))
    await store.close()
    expect((await Promise.all(writes)).map((one) => one.kind)).toEqual(Array(20).fill('stored'))
    expect([...readdirSync(join(directory, 'locks')), ...readdirSync(join(directory, 'owners'))]).toEqual([])
  })

  test('a holder whose process is gone counts as gone, although the file of its socket is there', async () => {
    const directory = newDirectory()
    const child = startChild(['file', directory, 'race', 'none'])
    await expect.poll(() => child.said()).not.toBe('')
    const [id = ''] = readdirSync(join(directory, 'owners'))
    const holder = newHolder(join(directory, 'owners'))
    expect(await holder.isAlive(id)).toBe(true)
    child.child.kill('SIGSTOP')
    expect(await holder.isAlive(id)).toBe(true)
    child.child.kill('SIGKILL')
    await child.ended
    expect(readdirSync(join(directory, 'owners'))).toContain(id)
    expect(await holder.isAlive(id)).toBe(false)
  })
})

describe('sweeping', () => {
  test('expired files, and what dead processes left, are removed; sessions that live and files that are not ours stay', async () => {
    const directory = newDirectory()
    const store = open(directory)
    await store.create('lives', bytes('x'), 600)
    await store.create('expired', bytes('x'), 600)
    await store.create('just', bytes('x'), 600)
    const past = Date.now() / 1000
    utimesSync(pathOf(directory, 'expired'), past - 3600, past - 3600)
    utimesSync(pathOf(directory, 'just'), past - 1, past - 1)
    const foreign = join(directory, nameOf('lives').slice(0, 2), 'notes.txt')
    writeFileSync(foreign, 'mine')
    utimesSync(foreign, 1, 1)
    const draft = `${pathOf(directory, 'lives')}.new`
    writeFileSync(draft, 'half')
    const swept: string[] = []
    const sweeper = createSweeper({
      directory,
      clock: () => Date.now(),
      alone: async (name, run) => {
        swept.push(name)
        await run()
      },
      clearLock: async () => undefined,
      isAlive: async () => true,
      everyMilliseconds: 0,
    })
    for (let round = 0; round < 256; round++) {
      sweeper.nudge()
      await sweeper.idle()
    }
    await sweeper.close()
    expect(swept).toEqual([nameOf('expired')])
    expect(await textAt(store, 'lives')).toBe('x')
    expect(readFileSync(foreign, 'utf8')).toBe('mine')
    expect(() => statSync(pathOf(directory, 'expired'))).toThrow('ENOENT')
    expect(statSync(pathOf(directory, 'just')).size).toBeGreaterThan(0)
    expect(statSync(draft).size).toBe(4)
  })

  test('locks and sockets of the dead go after a while; those of the living stay', async () => {
    const directory = newDirectory()
    const [locksIn, ownersIn] = [join(directory, 'locks'), join(directory, 'owners')]
    mkdirSync(locksIn)
    mkdirSync(ownersIn)
    const [living, own] = [createHolder(ownersIn), createHolder(ownersIn)]
    holders.push(living, own)
    await own.assertPresent()
    const child = startChild(['file', directory, 'race', 'none'])
    await expect.poll(() => child.said()).not.toBe('')
    child.child.kill('SIGKILL')
    await child.ended
    const [dead = ''] = readdirSync(ownersIn).filter((name) => name !== own.id)
    symlinkSync(`${dead}.000000000001`, join(locksIn, 'a'))
    symlinkSync(`${dead}.000000000002`, join(locksIn, 'a.000000000001'))
    const locks = createLocks(own, 1000)
    await createLocks(living, 1000).hold(join(locksIn, 'b'), async () => {
      const sweep = async (): Promise<void> => {
        const sweeper = createSweeper({
          directory,
          clock: () => Date.now(),
          alone: async () => undefined,
          everyMilliseconds: 0,
          clearLock: (name) => locks.clear(join(locksIn, name)),
          isAlive: (id) => own.isAlive(id),
        })
        sweeper.nudge()
        await sweeper.idle()
      }
      await sweep()
      expect(readdirSync(locksIn).length).toBe(3)
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
      await sweep()
      vi.useRealTimers()
      expect(readdirSync(locksIn)).toEqual(['b'])
      expect(readdirSync(ownersIn).toSorted()).toEqual([living.id, own.id].toSorted())
    })
  })
})

describe('files', () => {
  test('files are named by the hash of the key, and only their user can read them and their folders', async () => {
    const directory = join(newDirectory(), 'new')
    const store = open(directory)
    for (const key of ['..', '.', 'a:b', 'CON', '.hidden']) await store.create(key, bytes(key), 60)
    for (const key of ['..', '.', 'a:b', 'CON', '.hidden']) {
      expect(await textAt(store, key)).toBe(key)
      expect(statSync(pathOf(directory, key)).mode & 0o777).toBe(0o600)
    }
    for (const folder of ['', ...readdirSync(directory)]) {
      expect(statSync(join(directory, folder)).mode & 0o777).toBe(0o700)
    }
  })

  test('lifetimes end by the clock, and an expired file counts as none', async () => {
    let now = Date.now()
    const store = open(newDirectory(), { clock: () => now })
    await store.create('a', bytes('x'), 10)
    const read = await store.read('a', 20)
    const token = read.kind === 'hit' ? read.token : ''
    now += 19_999
    expect(await textAt(store, 'a')).toBe('x')
    now += 2
    expect(await textAt(store, 'a')).toBe('miss')
    expect((await store.replace('a', bytes('y'), { token, ttlSeconds: 10 })).kind).toBe('missing')
    expect((await store.create('a', bytes('again'), 10)).kind).toBe('stored')
    expect((await store.replace('a', bytes('y'), { token, ttlSeconds: 10 })).kind).toBe('conflict')
  })

  test('a stored value stays when the caller changes the bytes later', async () => {
    const store = open(newDirectory())
    const value = bytes('mine')
    const created = store.create('a', value, 60)
    value.fill(0)
    await created
    expect(await textAt(store, 'a')).toBe('mine')
  })

  test.each([0, 10, 53])(
    'a file that was cut to %i bytes is unavailable until it is overwritten',
    async (size) => {
      const directory = newDirectory()
      const store = open(directory)
      await store.create('a', bytes('x'), 600)
      const { mtime } = statSync(pathOf(directory, 'a'))
      truncateSync(pathOf(directory, 'a'), size)
      utimesSync(pathOf(directory, 'a'), mtime, mtime)
      expect(await textAt(store, 'a')).toBe('unavailable')
      expect((await store.create('a', bytes('y'), 60)).kind).toBe('unavailable')
      expect((await store.end('a', bytes('z'), 60)).kind).toBe('stored')
      expect(await textAt(store, 'a')).toBe('z')
    },
  )

  test('a link to elsewhere is not followed', async () => {
    const directory = newDirectory()
    const store = open(directory)
    await store.create('a', bytes('x'), 600)
    rmSync(pathOf(directory, 'a'))
    symlinkSync('/etc/hostname', pathOf(directory, 'a'))
    expect(await textAt(store, 'a')).toBe('unavailable')
  })
})

describe('what the disk does', () => {
  test('a removed directory is unavailable, not an empty store; when it comes back it works', async () => {
    const parent = newDirectory()
    const directory = join(parent, 'inner')
    const store = open(directory)
    await store.create('a', bytes('old'), 60)
    const answers = async (): Promise<string[]> => {
      const all = [
        await store.read('a', 60),
        await store.create('b', bytes('x'), 60),
        await store.replace('a', bytes('x'), { token: 'x', ttlSeconds: 60 }),
        await store.end('a', bytes('x'), 60),
      ]
      return all.map((one) => one.kind)
    }
    renameSync(directory, join(parent, 'elsewhere'))
    expect(await answers()).toEqual(Array(4).fill('unavailable'))
    // As where a disk was mounted: there, and empty.
    mkdirSync(directory)
    expect(await answers()).toEqual(Array(4).fill('unavailable'))
    rmSync(directory, { recursive: true })
    renameSync(join(parent, 'elsewhere'), directory)
    expect(await textAt(store, 'a')).toBe('old')
    expect((await store.end('a', bytes('new'), 60)).kind).toBe('stored')
  })

  test('a file that the system lets grow no more is unavailable, and the old one stays', async () => {
    const directory = newDirectory()
    const store = open(directory)
    await store.create('key', bytes('1'), 600)
    const said = execFileSync(
      'sh',
      [
        '-c',
        'ulimit -f 1; exec "$0" test/support/store-child.ts file "$1" each key',
        process.execPath,
        directory,
      ],
      { encoding: 'utf8' },
    )
    expect(JSON.parse(said)).toEqual(['unavailable', 'hit', 'hit', 'unavailable', 'unavailable'])
    expect(await textAt(store, 'key')).toBe('1')
    expect(readdirSync(join(directory, 'locks'))).toEqual([])
    expect(readdirSync(join(directory, nameOf('key').slice(0, 2)))).toEqual([nameOf('key')])
  })

  test.runIf(isRoot)(
    'a full disk is unavailable, keeps what it has, and works when there is room',
    async (context) => {
      const directory = newDirectory()
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k,nr_inodes=2000', 'tmpfs', directory], {
          stdio: 'ignore',
        })
      } catch {
        context.skip('Nothing may be mounted here.')
      }
      try {
        const store = open(join(directory, 's'))
        const value = new Uint8Array(20_000)
        let made = 0
        while (made < 100 && (await store.create(`a:${made}`, value, 60)).kind === 'stored') made++
        expect(made).toBeGreaterThan(5)
        expect(made).toBeLessThan(31)
        const full = await store.end('a:0', new Uint8Array(100_000), 60)
        expect(full).toMatchObject({ kind: 'unavailable', cause: { code: 'ENOSPC' } })
        for (let index = 0; index < made; index++) {
          const read = await store.read(`a:${index}`, 60)
          expect(read.kind === 'hit' && read.value.length).toBe(20_000)
        }
        for (let index = 1; index < 5; index++) rmSync(pathOf(join(directory, 's'), `a:${index}`))
        expect((await store.end('a:0', bytes('x'), 60)).kind).toBe('stored')
        await store.close()
      } finally {
        execFileSync('umount', ['-l', directory])
      }
    },
  )

  test('a directory that may only be read is refused at the start, and unavailable later', async () => {
    const directory = newDirectory()
    const store = open(directory)
    await store.create('key', bytes('1'), 600)
    chmodSync(directory, 0o755)
    const file = join(directory, 'x')
    writeFileSync(file, '')
    expect(() => fileStore({ directory: file })).toThrow(expect.objectContaining({ code: 'invalid-option' }))
    if (!isRoot) return
    // Root may write whatever it likes; so the child is nobody.
    const child = startChild(['file', directory, 'each', 'key'], {
      uid: 65_534,
      gid: 65_534,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    expect(await child.ended).toBe('')
    expect(child.child.exitCode).toBe(1)
    // All but the session's own folder and file, which stay root's.
    for (const part of ['', 'owners', 'locks']) chownSync(join(directory, part), 65_534, 65_534)
    const kinds = await startChild(['file', directory, 'each', 'key'], { uid: 65_534, gid: 65_534 }).ended
    // A new session may have a folder that nobody may make files in; the old one may not be read.
    expect((JSON.parse(kinds) as string[]).slice(1)).toEqual(Array(4).fill('unavailable'))
  })
})

describe('a directory in which others may write', () => {
  test.each(['', 'owners', 'locks'])(
    'is refused at the start, and so is what it has in it: %s',
    async (part) => {
      const directory = newDirectory()
      await open(directory).close()
      for (const mode of [0o777, 0o1777, 0o770, 0o702]) {
        chmodSync(join(directory, part), mode)
        expect(() => fileStore({ directory })).toThrow(
          expect.objectContaining({
            code: 'invalid-option',
            message: expect.stringContaining(`${join(directory, part)} has the mode ${mode.toString(8)}`),
          }),
        )
      }
      chmodSync(join(directory, part), 0o755)
      await open(directory).close()
    },
  )
})

test('a folder of sessions in which others may write is refused at the start, too', async () => {
  const directory = newDirectory()
  const store = open(directory)
  await store.create('key', bytes('1'), 600)
  await store.close()
  const folder = readdirSync(directory).find((name) => name.length === 2) ?? ''
  for (const mode of [0o777, 0o720]) {
    chmodSync(join(directory, folder), mode)
    expect(() => fileStore({ directory })).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        message: expect.stringContaining(`${join(directory, folder)} has the mode ${mode.toString(8)}`),
      }),
    )
  }
  chmodSync(join(directory, folder), 0o700)
  const again = await open(directory).read('key', null)
  expect(again.kind).toBe('hit')
})

describe('options', () => {
  test.each<[string, FileStoreOptions]>([
    ['no directory', { directory: '' }],
    ['a path that is none', { directory: '/tmp/\0' }],
    ['a file', { directory: '/etc/hostname' }],
    ['a directory in a file', { directory: '/etc/hostname/sessions' }],
    ['a path that is too long for a socket', { directory: `/tmp/${'x'.repeat(80)}` }],
    ['no time', { directory: '/tmp/never', timeoutMilliseconds: 0 }],
  ])('%s is refused at the start', (_name, options) => {
    expect(() => fileStore(options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })
})
