// Random requests of the session routes: as the core gets them, and as bytes on a socket.
import { type Browser, type Send, type World } from './harness.ts'
import { type Random, damaged, hugeJson, randomBody, randomJson } from './fuzz-json.ts'

const methods = [
  'GET',
  'HEAD',
  'DELETE',
  'POST',
  'PUT',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'get',
  '__proto__',
  '',
  '\0',
]
const tails = [
  '/',
  '//',
  '/sync/',
  '/../x',
  '/__proto__',
  '/constructor',
  '/%73ync',
  '/\0',
  '/sync;a',
  '/\ud800',
]
const queries = [
  'everywhere=1',
  'others=1',
  'since=',
  'since=1e9',
  'epoch',
  '__proto__=1',
  '%',
  '%ff',
  'a=%00',
  '&&&',
  '?',
  'since[x]=1',
  '#',
]
const types = [
  'application/json',
  'Application/JSON ; charset=x',
  'text/plain',
  'application/jsonx',
  '',
  ';',
  '\0',
]
const origins = [
  'http://localhost',
  'null',
  // Plain: with https the plain http of this world looks like a proxy that nobody told of.
  'http://evil.example',
  'http://localhost.evil',
  '',
  '*',
  '\ud800',
]
const sites = [
  'same-origin',
  'same-origin',
  'same-site',
  'cross-site',
  'none',
  '',
  'SAME-ORIGIN',
  '__proto__',
]
const junk = [
  'session=',
  'session',
  '=',
  ';',
  'session=v1.x',
  `session=${'x'.repeat(120)}`,
  '__proto__=1',
  '\0=\0',
]

export interface Fuzzed {
  readonly url: string
  readonly send: Send
  /** Whether the cookie of the live session is among what is sent. */
  readonly isLive: boolean
}

/** One browser whose session must survive, and cookies of others, which may meet anything. */
export interface Scene {
  readonly world: World
  readonly live: Browser
  readonly epoch: string
  readonly crowd: string[]
  /** Of the live session, when it was last used. */
  revision: number
}

export function randomRequest(random: Random, scene: Scene, number: number): Fuzzed {
  const { epoch, revision } = scene
  const isLive = random.chance(0.4)
  const isMeant = isLive && random.chance(0.95)
  const [method, route] = randomTarget(random)
  const query = random.chance(0.2) ? `?${random.some(4, () => randomQuery(random, scene)).join('&')}` : ''
  const truth = { epoch: isMeant ? epoch : null, owner: isMeant ? 'alice' : null, revision, number }
  const headers: Record<string, string | undefined> = {
    cookie: randomCookies(random, scene, isLive),
    'session-mirror': random.chance(0.98) ? '1' : random.pick(['0', '', '1, 1', undefined]),
    'content-type': random.chance(0.97) ? 'application/json' : random.pick(types),
    'sec-fetch-site': random.chance(0.95) ? 'same-origin' : random.pick([...sites, undefined]),
    origin: random.chance(0.9) ? undefined : random.pick(origins),
    'if-none-match': random.chance(0.7) ? undefined : `${randomJson(random)}, W/"${epoch}.${revision}"`,
    'session-epoch': random.chance(0.9) ? undefined : randomJson(random),
    'content-length': random.chance(0.95) ? undefined : random.pick(['-1', '1e9', 'x', '']),
  }
  // The one request that may end the live session: it means another one.
  if (isLive && method === 'DELETE') {
    headers['session-epoch'] = random.pick(['', 'AAAAAAAAAAAAAAAA', '__proto__'])
    // Beside another live session it would end both, whichever it means.
    headers['cookie'] = randomCookies(random, { ...scene, crowd: [] }, isLive)
  }
  return {
    url: `/session${route}${query}`,
    send: { method, body: randomBody(random, truth), headers },
    isLive,
  }
}

function randomTarget(random: Random): readonly [method: string, route: string] {
  const shape = random.next()
  if (shape < 0.75) return ['POST', '/sync']
  if (shape < 0.8) return ['POST', '/refresh']
  if (shape < 0.92) return [random.pick(['GET', 'GET', 'HEAD', 'DELETE']), '']
  if (shape < 0.93) return ['GET', '/events']
  return [random.pick(methods), random.pick(['', '/sync', '/refresh', '/events', ...tails])]
}

function randomQuery(random: Random, { epoch }: Scene): string {
  return random.pick([
    `since=${random.below(99)}`,
    `epoch=${epoch}`,
    random.pick(queries),
    randomJson(random),
  ])
}

function randomCookies(random: Random, { live, crowd }: Scene, isLive: boolean): string | undefined {
  const others = crowd.length === 0 || random.chance(0.3) ? [] : [random.pick(crowd)]
  const own = isLive ? [live.cookie, ...(random.chance(0.05) ? others : [])] : others
  const extra = random.chance(0.8) ? [] : random.some(20, () => random.pick(junk))
  if (random.chance(0.1)) extra.push(damaged(random, live.cookie))
  const pairs = random.chance(0.5) ? [...own, ...extra] : [...extra, ...own]
  return pairs.length === 0
    ? undefined
    : pairs.join(random.chance(0.9) ? '; ' : random.pick([';', ', ', ';\t']))
}

/** What is written to a socket. Of what has the live cookie, nothing is a sign-out. */
export function randomBytes(random: Random, scene: Scene, number: number): Buffer {
  const shape = random.next()
  if (shape < 0.15) return noise(random, 400)
  const message = randomMessage(random, scene, number)
  if (shape < 0.55) return message
  // Broken somewhere, mostly in the head: a byte changed, a piece cut out, noise put in, or the rest missing.
  const at = random.below(random.chance(0.7) ? Math.min(400, message.length) : message.length)
  const [head, tail] = [message.subarray(0, at), message.subarray(at + 1)]
  return Buffer.concat(
    random.pick([
      [head, noise(random, 1), tail],
      [head, noise(random, 40), message.subarray(at)],
      [head, tail.subarray(random.below(60))],
      [head, Buffer.from(random.pick(['\r\n', '\n', '\r', '\r\n\r\n', ' ', ':', '\0'])), tail],
      [head],
    ]),
  )
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + random.below(length) }, () => random.below(256)))
}

function randomMessage(random: Random, { live, epoch, revision }: Scene, number: number): Buffer {
  const target = random.pick([
    '/session/sync',
    '/session/sync',
    '/session/refresh',
    '/session',
    '/',
    '/app?x=1',
  ])
  const method = target.startsWith('/session/') ? 'POST' : random.pick(['GET', 'HEAD', 'POST', 'PUT'])
  const odd = random.pick([
    '*',
    'http://localhost/session',
    '/session#',
    '//session',
    '/%',
    '/session\u00ff',
    '',
  ])
  const text = randomBody(random, { epoch, owner: 'alice', revision, number })
  const body = random.chance(0.03) ? Buffer.from(hugeJson(random)) : Buffer.from(text)
  const bytes = random.chance(0.1) ? Buffer.concat([body, noise(random, 9)]) : body
  const [framing, framed] = randomFraming(random, bytes)
  const lines = [
    `${method} ${random.chance(0.95) ? target : odd} ${random.chance(0.95) ? 'HTTP/1.1' : 'HTTP/1.0'}`,
    `Host: ${random.chance(0.95) ? 'localhost' : random.pick(['', 'a b', '[', 'localhost:x'])}`,
    'Session-Mirror: 1\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin',
    framing,
    `Cookie: ${live.cookie}`,
    random.chance(0.8) ? '' : random.pick(['Connection: close', 'Connection: Upgrade\r\nUpgrade: websocket']),
    random.chance(0.9)
      ? ''
      : random.pick(['Expect: 100-continue', 'Expect: x', '__proto__: 1', 'constructor: 1']),
    random.chance(0.97) ? '' : `X: ${'x'.repeat(20_000)}`,
  ].filter((line) => line !== '')
  const message = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), framed])
  return random.chance(0.1) ? Buffer.concat([message, message]) : message
}

/** The header that says how long the body is, mostly wrong, and the body. */
function randomFraming(random: Random, body: Buffer): readonly [header: string, body: Buffer] {
  const { length } = body
  const chunk = (size: string): Buffer =>
    Buffer.concat([Buffer.from(`${size}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
  const right = `Content-Length: ${length}`
  const chunked = 'Transfer-Encoding: chunked'
  return random.pick([
    [right, body],
    [right, body],
    [right, body.subarray(0, random.below(length + 1))],
    [`Content-Length: ${random.below(length + 1)}`, body],
    [`Content-Length: ${length + 1 + random.below(500_000)}`, body],
    [`Content-Length: ${random.pick(['-1', 'x', '', '1e3', '0x10', '9'.repeat(30)])}`, body],
    [`${right}\r\nContent-Length: ${length + 1}`, body],
    [`${right}\r\n${chunked}`, body],
    ['', body],
    [chunked, chunk(length.toString(16))],
    [chunked, chunk((length + 1).toString(16))],
    [chunked, chunk(random.pick(['', '-1', 'g', 'f'.repeat(20), '0', '1;x=y']))],
  ])
}
