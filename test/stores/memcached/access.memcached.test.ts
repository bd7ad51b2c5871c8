// Ways in: TLS, passwords, Unix sockets.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'
import { storeContract } from '../../../src/testing/store-contract.ts'
import {
  type MemcachedFixtures,
  contractTestsAt,
  patientMilliseconds,
  test as memcachedTest,
} from '../../support/memcached-test.ts'
import { type Memcached, startMemcached } from '../../support/memcached.ts'
import { inProcessTime } from '../../support/process-time.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'
import { bytes, codeOf, openLoop, text } from '../../support/store-helpers.ts'
import { until } from '../../support/waiting.ts'

const folder = mkdtempSync(join(tmpdir(), 'memcached-access-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

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

/** A memcached that all tests of the file with this option share. */
function withOptions(start: () => Promise<Memcached>): typeof memcachedTest {
  return memcachedTest.extend<Pick<MemcachedFixtures, 'memcached'>>({
    memcached: [
      // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
      async ({}, use) => {
        const memcached = await start()
        await use(memcached)
        await memcached.kill()
      },
      { scope: 'file' },
    ],
  })
}

const tlsTest = withOptions(async () => {
  needTls()
  makeCertificate('server', 'localhost')
  makeCertificate('other', 'elsewhere.example')
  const files = `ssl_chain_cert=${at('server.pem')},ssl_key=${at('server.key')}`
  return startMemcached(['-Z', '-o', files])
})
const passwordTest = withOptions(() => {
  writeFileSync(at('passwords'), 'joe:secr:etü\nann:other\n')
  return startMemcached(['-Y', at('passwords')])
})
const socketTest = withOptions(() => startMemcached([], at('memcached.sock')))

describe('TLS', () => {
  const certificateAuthority = (): string => readFileSync(at('server.pem'), 'utf8')
  const test = tlsTest

  describe.concurrent.each(['meta', 'classic', 'auto'] as const)(
    'the contract in the dialect %s',
    (dialect) => {
      contractTestsAt(
        (name, run) => test(name, ({ memcached }) => run(memcached.address), 60_000),
        () => ({
          dialect,
          tls: { ca: certificateAuthority() },
        }),
      )
    },
  )

  test('a server is known by its name, too', async ({ open, memcached }) => {
    const ca = certificateAuthority()
    const store = open({ servers: memcached.address.replace('127.0.0.1', 'localhost'), tls: { ca } })
    expect((await store.end('tls', bytes('secret'), 60)).kind).toBe('stored')
    expect(text(await store.read('tls', 60))).toBe('secret')
  })

  test.for([
    ['a certificate that nobody has signed', { tls: true }, /self-signed/],
    ['the certificate of another server', { tls: { servername: 'elsewhere.example' } }, /does not match/],
    ['a certificate of another authority', { tls: 'other' }, /self-signed|unable to verify/],
  ] as const)(
    'a server with %s is unavailable, and nothing is said to it',
    async ([, { tls }, reason], { open, memcached }) => {
      const options =
        tls === 'other'
          ? { ca: readFileSync(at('other.pem'), 'utf8') }
          : tls === true
            ? true
            : { ca: certificateAuthority(), ...tls }
      const store = open({ servers: memcached.address, tls: options, username: 'joe', password: 'secret' })
      const read = await store.read('tls', 60)
      expect(codeOf(read)).toBe('cut')
      expect(String('cause' in read ? read.cause : '')).toMatch(reason)
    },
  )

  test('a server without TLS is unavailable at once, and hears no password', async ({ open }) => {
    let heard = ''
    const server = await startScriptedServer((said) => ((heard += said), 'ERROR\r\n'))
    const store = open({ servers: server.address, tls: true, username: 'joe', password: 'secret' })
    expect(codeOf(await store.read('a', 60))).toBe('cut')
    expect(heard).not.toContain('secret')
    await server.close()
  })

  test('a server that never ends its handshake is unavailable at the deadline', async ({ open }) => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const store = open({ servers: `127.0.0.1:${port}`, tls: true, timeoutMilliseconds: 150 })
    const { result, milliseconds } = await inProcessTime(() => store.read('a', 60))
    expect(codeOf(result)).toBe('timeout')
    expect(milliseconds).toBeLessThan(250)
    await store.close()
    server.close()
  })

  test('a server that has TLS is unavailable without it', async ({ open }) => {
    const store = open({ timeoutMilliseconds: 300 })
    expect((await store.read('a', 60)).kind).toBe('unavailable')
  })
})

describe('a password', () => {
  const test = passwordTest
  const login = { username: 'joe', password: 'secr:etü' }

  test.for(['meta', 'classic', 'auto'] as const)(
    'the right password lets in, in the dialect %s',
    async (dialect, { open }) => {
      const store = open({ dialect, ...login })
      expect((await store.end('auth', bytes('value'), 60)).kind).toBe('stored')
      expect(text(await store.read('auth', 60))).toBe('value')
      const read = await store.read('auth', 60)
      const token = read.kind === 'hit' ? read.token : ''
      expect((await store.replace('auth', bytes('next'), { token, ttlSeconds: 60 })).kind).toBe('stored')
    },
  )

  test.for(['meta', 'classic', 'auto'] as const)(
    'a wrong or missing password is told once as the cause, and the server is left alone, in the dialect %s',
    async (dialect, { open }) => {
      for (const options of [{ username: 'joe', password: 'wrong' }, {}]) {
        const store = open({ dialect, ...options })
        let cause: unknown
        // Left alone then; the reason stays readable. On a busy machine the time to be left alone may be over, and it
        // is tried again; that time doubles.
        await until('the server is left alone', async () => {
          const read = await store.read('auth', 60)
          if (read.kind !== 'unavailable') throw new Error(read.kind)
          if (codeOf(read) === 'resting') {
            expect((read.cause as Error).cause).toBe(cause)
            return true
          }
          expect(codeOf(read)).toBe('login')
          cause = read.cause
          return false
        })
        expect((cause as Error).message).toMatch(
          /refused username and password: CLIENT_ERROR (authentication failure|unauthenticated)/,
        )
        expect((cause as Error).message).not.toContain('wrong')
      }
    },
  )

  test('a wrong password is not tried more often than the back-off allows', async ({ open }) => {
    const server = await startScriptedServer((said) =>
      said.startsWith('set ')
        ? 'CLIENT_ERROR authentication failure\r\n'
        : 'CLIENT_ERROR unauthenticated\r\n',
    )
    const store = open({ servers: server.address, ...login })
    const samples = await openLoop({
      everyMilliseconds: 2,
      forMilliseconds: 1500,
      until: () => server.connections.length >= 3,
      run: () => store.read('a', 60).then(codeOf),
    })
    expect(new Set(samples.map(({ outcome }) => outcome))).toEqual(new Set(['login', 'resting']))
    expect(server.connections.length).toBeGreaterThanOrEqual(3)
    expect(server.connections.length).toBeLessThanOrEqual(6)
    await server.close()
  })

  test('a password is not left in a server that asks for none', async ({ open }) => {
    const free = await startMemcached()
    const store = open({ servers: free.address, ...login })
    expect((await store.read('login', null)).kind).toBe('miss')
    await free.kill()
  })
})

describe('a Unix socket', () => {
  const test = socketTest

  describe.concurrent('the contract', () => {
    storeContract(
      {
        test: (name, run) =>
          test(
            name,
            async ({ memcached }) => {
              expect(memcached.address).toBe(at('memcached.sock'))
              await run()
            },
            60_000,
          ),
      },
      () => memcachedStore({ servers: at('memcached.sock'), timeoutMilliseconds: patientMilliseconds }),
    )
  })

  test('a socket that is not there is unavailable', async ({ open }) => {
    expect(codeOf(await open({ servers: at('nobody.sock') }).read('a', 60))).toBe('cut')
  })
})
