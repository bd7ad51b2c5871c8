// Ways in: TLS, passwords, Unix sockets.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type MemcachedStoreOptions, memcachedStore } from '../../../src/memcached.ts'
import type { Store } from '../../../src/stores/store.ts'
import { storeContract } from '../../../src/testing/store-contract.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, openLoop, text } from '../../support/store-helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'memcached-access-'))
const at = (name: string): string => join(folder, name)
const stores: Store[] = []
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function open(options: MemcachedStoreOptions): Store {
  const store = memcachedStore({ timeoutMilliseconds: 1000, ...options })
  stores.push(store)
  return store
}

function makeCertificate(name: string, subject: string): void {
  const subjectName = subject === 'localhost' ? 'DNS:localhost,IP:127.0.0.1' : `DNS:${subject}`
  const names = ['-subj', `/CN=${subject}`, '-addext', `subjectAltName=${subjectName}`]
  const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...names], { stdio: 'pipe' })
}

function needTls(): void {
  const command = process.env['MEMCACHED_PATH'] ?? 'memcached'
  const help = execFileSync(command, ['-h'], { encoding: 'utf8' })
  if (!help.includes('--enable-ssl')) {
    throw new Error(`${command} was built without TLS: these tests need one with it, like Debian's.`)
  }
}

describe('TLS', () => {
  let memcached: Memcached
  let ca = ''
  beforeAll(async () => {
    needTls()
    makeCertificate('server', 'localhost')
    makeCertificate('other', 'elsewhere.example')
    ca = readFileSync(at('server.pem'), 'utf8')
    const files = `ssl_chain_cert=${at('server.pem')},ssl_key=${at('server.key')}`
    memcached = await startMemcached(['-Z', '-o', files])
  })
  afterAll(() => memcached.kill())

  describe.concurrent.each(['meta', 'classic', 'auto'] as const)(
    'the contract in the dialect %s',
    (dialect) => {
      storeContract({ test: (name, run) => test.concurrent(name, run, 15_000) }, () =>
        memcachedStore({ servers: memcached.address, dialect, tls: { ca }, timeoutMilliseconds: 2000 }),
      )
    },
  )

  test('by name too', async () => {
    const store = open({ servers: memcached.address.replace('127.0.0.1', 'localhost'), tls: { ca } })
    expect((await store.end('tls', bytes('secret'), 60)).kind).toBe('stored')
    expect(text(await store.read('tls', 60))).toBe('secret')
  })

  test.each([
    ['a certificate that nobody has signed', { tls: true }, /self-signed/],
    ['the certificate of another server', { tls: { servername: 'elsewhere.example' } }, /does not match/],
    ['another authority', { tls: 'other' }, /self-signed|unable to verify/],
  ])('%s is unavailable, and nothing is said to it', async (_name, { tls }, reason) => {
    const options =
      tls === 'other'
        ? { ca: readFileSync(at('other.pem'), 'utf8') }
        : tls === true
          ? true
          : { ca, ...(tls as object) }
    const store = open({ servers: memcached.address, tls: options, username: 'joe', password: 'secret' })
    const read = await store.read('tls', 60)
    expect(codeOf(read)).toBe('cut')
    expect(String('cause' in read ? read.cause : '')).toMatch(reason)
  })

  test('a server without TLS is unavailable at once, and hears no password', async () => {
    let heard = ''
    const server = await startScriptedServer((said) => ((heard += said), 'ERROR\r\n'))
    const store = open({ servers: server.address, tls: true, username: 'joe', password: 'secret' })
    expect(codeOf(await store.read('a', 60))).toBe('cut')
    expect(heard).not.toContain('secret')
    await server.close()
  })

  test('a server that never ends its handshake is unavailable at the deadline', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const store = open({ servers: `127.0.0.1:${port}`, tls: true, timeoutMilliseconds: 150 })
    const started = performance.now()
    expect(codeOf(await store.read('a', 60))).toBe('timeout')
    expect(performance.now() - started).toBeLessThan(250)
    await store.close()
    server.close()
  })

  test('without TLS a server that has it is unavailable', async () => {
    const store = open({ servers: memcached.address, timeoutMilliseconds: 300 })
    expect((await store.read('a', 60)).kind).toBe('unavailable')
  })
})

describe('a password', () => {
  let memcached: Memcached
  beforeAll(async () => {
    writeFileSync(at('passwords'), 'joe:secr:etü\nann:other\n')
    memcached = await startMemcached(['-Y', at('passwords')])
  })
  afterAll(() => memcached.kill())
  const login = { username: 'joe', password: 'secr:etü' }

  test.each(['meta', 'classic', 'auto'] as const)('lets in, in the dialect %s', async (dialect) => {
    const store = open({ servers: memcached.address, dialect, ...login })
    expect((await store.end('auth', bytes('value'), 60)).kind).toBe('stored')
    expect(text(await store.read('auth', 60))).toBe('value')
    const read = await store.read('auth', 60)
    const token = read.kind === 'hit' ? read.token : ''
    expect((await store.replace('auth', bytes('next'), { token, ttlSeconds: 60 })).kind).toBe('stored')
  })

  test.each(['meta', 'classic', 'auto'] as const)(
    'that is wrong or missing, in the dialect %s',
    async (dialect) => {
      for (const options of [{ username: 'joe', password: 'wrong' }, {}]) {
        const store = open({ servers: memcached.address, dialect, ...options })
        const read = await store.read('auth', 60)
        expect(codeOf(read)).toBe('login')
        const { cause } = read as { cause: Error }
        expect(cause.message).toMatch(
          /refused username and password: CLIENT_ERROR (authentication failure|unauthenticated)/,
        )
        expect(cause.message).not.toContain('wrong')
        // Left alone then; the reason stays readable.
        const again = await store.read('auth', 60)
        expect(codeOf(again)).toBe('resting')
        expect((again as { cause: Error }).cause.cause).toBe(cause)
      }
    },
  )

  test('is not tried more often than the back-off allows', async () => {
    const server = await startScriptedServer((said) =>
      said.startsWith('set ')
        ? 'CLIENT_ERROR authentication failure\r\n'
        : 'CLIENT_ERROR unauthenticated\r\n',
    )
    const store = open({ servers: server.address, ...login })
    const samples = await openLoop({
      everyMilliseconds: 2,
      forMilliseconds: 1500,
      run: () => store.read('a', 60).then(codeOf),
    })
    expect(new Set(samples.map(({ outcome }) => outcome))).toEqual(new Set(['login', 'resting']))
    expect(server.connections.length).toBeGreaterThanOrEqual(3)
    expect(server.connections.length).toBeLessThanOrEqual(6)
    await server.close()
  })

  test('is not left in a server that asks for none', async () => {
    const free = await startMemcached()
    const store = open({ servers: free.address, ...login })
    expect((await store.read('login', null)).kind).toBe('miss')
    await free.kill()
  })
})

describe('a Unix socket', () => {
  let memcached: Memcached
  beforeAll(async () => {
    memcached = await startMemcached([], at('memcached.sock'))
  })
  afterAll(() => memcached.kill())

  storeContract({ test: (name, run) => test.concurrent(name, run, 10_000) }, () =>
    memcachedStore({ servers: memcached.address, timeoutMilliseconds: 1000 }),
  )

  test('that is not there is unavailable', async () => {
    expect(codeOf(await open({ servers: at('nobody.sock') }).read('a', 60))).toBe('cut')
  })
})
