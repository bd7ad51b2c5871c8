// Whatever is sent to the session routes: no exception, no 5xx, no answer that a cache may keep, no prototype
// that grows, and no harm to a session that is in use meanwhile. FUZZ_SEED repeats a run.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type SessionRequest, sessionMiddleware } from '../../../src/node.ts'
import { type CoreAnswer } from '../../../src/server.ts'
import { nodeCrypto } from '../../../src/server/node/node-crypto.ts'
import { type Random, createRandom } from '../fuzz-json.ts'
import { counts } from '../../support/counts.ts'
import { startProcessClock } from '../../support/process-time.ts'
import { type Scene, randomBytes, randomRequest } from '../fuzz-requests.ts'
import { type Schema, createWorld } from '../harness.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? 20_260_731)
const hiddenValue = 'only the server knows'
const prototypes = [Object, Array, String, Number, Map, Function, Promise].map(
  (one) => one.prototype as object,
)
const namesOfPrototypes = (): string[][] => prototypes.map((one) => Reflect.ownKeys(one).map(String))

async function createScene(): Promise<Scene> {
  const random = createRandom(~seed)
  // Ids and epochs come from the seed too, so that a run can be repeated to the byte.
  const randomIds = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256))
  const crypto = { ...nodeCrypto, randomBytes: randomIds }
  const world = createWorld({ crypto, absoluteTimeoutSeconds: 1_000_000_000 })
  const live = world.browser()
  await live.app((session) => {
    session.signIn('alice')
    session.set('secret', hiddenValue)
    session.set('user', { name: 'Alice' })
  })
  const { epoch } = (await live.get()).message
  return { world, live, epoch: epoch ?? '', crowd: [], revision: 0 }
}

/** What is wrong with an answer, or undefined. */
function faultOf(answer: CoreAnswer | undefined): string | undefined {
  if (answer === undefined) return 'it was not taken for a session route'
  const { status, headers } = answer
  const body = bodyOf(answer)
  const has = (name: string, pattern: RegExp): boolean =>
    headers.some(([own, value]) => own === name && pattern.test(value))
  if (status >= 500 || status < 200) return `the status is ${status}: ${body}`
  if (!has('cache-control', /^no-store$/)) return 'a cache may keep it'
  if (!has('vary', /\bCookie\b/)) return 'it has no Vary'
  if (!has('x-content-type-options', /^nosniff$/)) return 'its type may be guessed'
  return body.includes(hiddenValue) ? 'it tells the hidden key' : undefined
}

/** Of what is no event stream. */
function bodyOf(answer: CoreAnswer | undefined): string {
  return typeof answer?.body === 'string' ? answer.body : ''
}

/** Uses the live session as its page and its app do. */
async function useLive(scene: Scene, number: number): Promise<void> {
  const { live, epoch } = scene
  const told = `FUZZ_SEED=${seed}, before request ${number + 1}`
  const options = { epoch, owner: 'alice', client: 'client-of-alice', number }
  const replies = [
    await live.post('refresh', { epoch, owner: 'alice', since: 0 }),
    await live.get(),
    await live.sync([{ kind: 'set', key: 'theme', value: `theme ${number}` }], options),
  ]
  const used = replies.map(({ status, message }) => [status, message.epoch])
  expect(used, told).toEqual(replies.map(() => [200, epoch]))
  expect(replies[2]?.message.outcomes?.[0]?.code, told).toBe('ok')
  scene.revision = replies[2]?.message.revision ?? 0
  const seen = await live.app((session) => [session.get('secret'), session.get('user'), session.get('theme')])
  expect(seen, told).toEqual([hiddenValue, { name: 'Alice' }, `theme ${number}`])
}

function expectCleanPrototypes(before: string[][]): void {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(namesOfPrototypes()).toEqual(before)
  expect(({} as Record<string, unknown>)['x']).toBe(undefined)
}

const requests = counts.fuzzedRequests
test(`${requests.toLocaleString('en')} requests of any kind do no harm`, { timeout: 300_000 }, async () => {
  const before = namesOfPrototypes()
  const random = createRandom(seed)
  const scene = await createScene()
  const seen = new Map<string, number>()
  for (let number = 1; number <= requests; number++) {
    const { url, send, isLive } = randomRequest(random, scene, number)
    const told = (): string =>
      `FUZZ_SEED=${seed}, request ${number}: ${JSON.stringify({ url, ...send }).slice(0, 2000)}`
    const answer = await scene.world.sessions
      .handle(scene.live.request(url, send))
      .catch((cause: unknown) => Promise.reject(new Error(`It threw. ${told()}`, { cause })))
    const fault = faultOf(answer)
    if (fault !== undefined) throw new Error(`${fault}. ${told()}`)
    // An event stream: its reader leaves at once.
    if (typeof answer?.body === 'object') await answer.body[Symbol.asyncIterator]().return?.()
    for (const [name, value] of answer?.headers ?? []) {
      const [pair = ''] = value.split(';')
      if (name === 'set-cookie' && !isLive && pair !== 'session=') scene.crowd[random.below(8)] = pair
    }
    for (const [, code = ''] of bodyOf(answer).matchAll(/"code":"([a-z-]+)"/g) ?? []) {
      seen.set(code, (seen.get(code) ?? 0) + 1)
    }
    // Cookies get stale and ids rotate all the time.
    scene.world.sleep(20)
    if (number % 20 === 0) await useLive(scene, number)
  }
  expectCleanPrototypes(before)
  // Noise that never gets past the first check would prove nothing.
  const often = [...seen].filter(([, times]) => times >= requests / 2000).map(([code]) => code)
  const outcomes = ['ok', 'denied', 'conflict', 'invalid']
  const ofCookie = ['stale', 'ended', 'reuse', 'ambiguous-cookie', 'epoch-mismatch', 'batch-fork']
  const ofRequest = ['malformed', 'cross-site', 'not-found', 'method-not-allowed', 'unsupported-type']
  expect(often).toEqual(expect.arrayContaining([...outcomes, ...ofCookie, ...ofRequest]))
  expect(seen.get('ok')).toBeGreaterThan(requests / 20)
  await useLive(scene, requests + 1)
})

/** Writes `bytes` in one or two pieces, ends or waits, and gives the statuses that came back. */
async function talk(port: number, bytes: Buffer, random: Random): Promise<number[]> {
  const cut = random.chance(0.3) ? random.below(bytes.length) : bytes.length
  const manner = random.pick(['end', 'wait', 'wait', 'drop'])
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  // The server may close before all is written: that is an answer too.
  socket.on('error', () => undefined).on('data', (chunk) => chunks.push(chunk))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(bytes.subarray(0, cut))
  if (cut < bytes.length) {
    await pause(5)
    socket.write(bytes.subarray(cut))
  }
  if (manner === 'end') socket.end()
  if (manner === 'drop') await pause(2)
  // A body that never comes is waited for much longer than this.
  else await Promise.race([closed, once(socket, 'data').catch(() => undefined), untilGiven(60)])
  await Promise.race([closed, pause(manner === 'end' ? 20 : 5)])
  socket.destroy()
  await closed
  const heads = Buffer.concat(chunks)
    .toString('latin1')
    .matchAll(/HTTP\/1\.1 (\d{3}) /g)
  return Array.from(heads, ([, status]) => Number(status))
}

/** Resolves when this process was given so many milliseconds: the server answers in them, or does not answer. */
async function untilGiven(milliseconds: number): Promise<void> {
  const clock = startProcessClock()
  // oxlint-disable-next-line no-await-in-loop -- a wait
  while (clock.now() < milliseconds) await pause(5)
  clock.stop()
}

const connections = counts.brokenConnections
test(`${connections.toLocaleString('en')} connections that break HTTP in any way do no harm`, async () => {
  const before = namesOfPrototypes()
  const random = createRandom(seed + 1)
  const scene = await createScene()
  const failures: unknown[] = []
  const fail = (error: unknown): number => failures.push(error)
  process.on('uncaughtException', fail).on('unhandledRejection', fail)
  const middleware = sessionMiddleware(scene.world.sessions)
  let answering = 0
  const server = createServer((request, response) => {
    answering++
    response.once('close', () => answering--)
    void middleware(request, response, (error) => {
      if (error !== undefined) fail(error)
      const { session } = request as SessionRequest<Schema>
      session.increment('visits', 1)
      response.end(`app ${String(session.get('visits'))}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on a port, not on a pipe.
  const seen = new Map<number, number>()
  try {
    for (let number = 1; number <= connections; number += 20) {
      const round = Array.from({ length: 20 }, async (_, index) => {
        const bytes = randomBytes(random, scene, number + index)
        for (const status of await talk(port, bytes, random)) {
          seen.set(status, (seen.get(status) ?? 0) + 1)
          if (status >= 500)
            fail(`FUZZ_SEED=${seed}: ${status} for ${bytes.toString('latin1').slice(0, 2000)}`)
        }
      })
      await Promise.all(round)
      // What is under way must not become minutes old with the clock: nothing on a network does.
      await expect.poll(() => answering, { timeout: 20_000 }).toBe(0)
      scene.world.sleep(301)
      await useLive(scene, number)
    }
    expect(failures).toEqual([])
    expectCleanPrototypes(before)
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 413, 431]))
    const { headers, status } = await fetch(`http://127.0.0.1:${port}/session`)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
  } finally {
    process.off('uncaughtException', fail).off('unhandledRejection', fail)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})
