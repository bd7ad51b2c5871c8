// A cache that many people share, as greedy as RFC 9111 lets one be: it stores whatever it may, Set-Cookie too,
// guesses a lifetime wherever it may guess, and asks the server again with every ETag that it has.
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Message {
  readonly method: string
  readonly path: string
  /** Names are lower-case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
export interface Answer {
  readonly status: number
  /** Names are lower-case; Set-Cookie may stand several times. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}
export interface SharedCache {
  send(message: Message): Promise<Answer>
  /** Answers given without the server, and bodies given after it said 304. */
  readonly counts: { stored: number; validated: number }
}

interface Entry {
  readonly message: Message
  readonly answer: Answer
  /** Seconds. */
  readonly at: number
}

/** Seconds that an answer is taken for fresh when it says nothing (4.2.2). */
const guess = 60
const guessable: readonly number[] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]

/** `now` in seconds. */
export function createSharedCache(
  server: (message: Message) => Promise<Answer>,
  now: () => number,
): SharedCache {
  const entries = new Map<string, Entry[]>()
  const counts = { stored: 0, validated: 0 }

  const allFor = ({ path, method }: Message): Entry[] =>
    (entries.get(path) ?? []).filter(({ message }) => message.method === 'GET' || method === 'HEAD')

  function keep(message: Message, answer: Answer): void {
    if (!mayStore(message, answer)) return
    const others = (entries.get(message.path) ?? []).filter(
      (entry) => entry.message.method !== message.method || !isSelected(entry, message),
    )
    const kept = { ...answer, headers: answer.headers.filter(([name]) => !namedPrivate(answer).has(name)) }
    entries.set(message.path, [{ message, answer: kept, at: now() }, ...others])
  }

  async function validate(message: Message): Promise<Answer> {
    const known = allFor(message)
    const own = tagsOf(message.headers['if-none-match'])
    const tags = new Set([...own, ...known.map(({ answer }) => valueOf(answer, 'etag'))].filter(Boolean))
    const condition = tags.size === 0 ? {} : { 'if-none-match': [...tags].join(', ') }
    const answer = await server({ ...message, headers: { ...message.headers, ...condition } })
    if (answer.status !== 304) {
      keep(message, answer)
      freshen(message, answer)
      return answer
    }
    const tag = valueOf(answer, 'etag')
    const match = known.find((entry) => isSameTag(valueOf(entry.answer, 'etag'), tag))
    if (match === undefined) return answer
    const updated = update(match.answer, answer)
    // It is the answer to this request too from now on, unless the 304 itself must not be stored.
    if (mayStore(message, { ...answer, status: 200 })) keep({ ...message, method: 'GET' }, updated)
    counts.validated++
    return forClient(message, updated)
  }

  /** What HEAD says of an answer that is stored goes for it too (4.3.5). */
  function freshen(message: Message, answer: Answer): void {
    if (message.method !== 'HEAD' || !mayStore(message, answer)) return
    const stored = allFor(message).find(
      (entry) => entry.message.method === 'GET' && isSelected(entry, message),
    )
    const tag = valueOf(answer, 'etag')
    if (stored === undefined || !isSameTag(valueOf(stored.answer, 'etag'), tag)) return
    keep({ ...message, method: 'GET' }, update(stored.answer, answer))
  }

  return {
    counts,
    async send(message) {
      if (message.method !== 'GET' && message.method !== 'HEAD') {
        const answer = await server(message)
        if (answer.status < 400) entries.delete(message.path)
        return answer
      }
      const found = allFor(message).find((entry) => isSelected(entry, message))
      if (found === undefined || now() - found.at >= lifetimeOf(found.answer)) return validate(message)
      counts.stored++
      return forClient(message, found.answer)
    },
  }
}

/** RFC 9111, 3. */
function mayStore({ method, headers }: Message, answer: Answer): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || 'authorization' in headers) return false
  if (answer.status < 200 || answer.status === 206 || answer.status === 304) return false
  const directives = directivesOf(answer)
  if (directives.has('no-store') || directives.get('private') === '') return false
  const explicit = ['public', 's-maxage', 'max-age'].some((name) => directives.has(name))
  return explicit || valueOf(answer, 'expires') !== '' || guessable.includes(answer.status)
}

/** Seconds. RFC 9111, 4.2.1. */
function lifetimeOf(answer: Answer): number {
  const directives = directivesOf(answer)
  if (directives.get('no-cache') === '') return 0
  const seconds = directives.get('s-maxage') ?? directives.get('max-age')
  if (seconds !== undefined) return Number(seconds)
  const expires = valueOf(answer, 'expires')
  if (expires !== '') return (Date.parse(expires) - Date.parse(valueOf(answer, 'date'))) / 1000 || 0
  return guess
}

function directivesOf(answer: Answer): Map<string, string> {
  const parts = valueOf(answer, 'cache-control').matchAll(/([\w-]+)(?:=(?:"([^"]*)"|([^\s,]*)))?/g)
  return new Map(
    [...parts].map(([, name = '', quoted, plain]) => [name.toLowerCase(), quoted ?? plain ?? '']),
  )
}

/** `private="set-cookie"` and `no-cache="set-cookie"` keep these fields out, and nothing else. */
function namedPrivate(answer: Answer): Set<string> {
  const directives = directivesOf(answer)
  const names = `${directives.get('private') ?? ''},${directives.get('no-cache') ?? ''}`
  return new Set(names.split(',').map((name) => name.trim().toLowerCase()))
}

/** RFC 9111, 4.1. */
function isSelected({ message, answer }: Entry, { headers }: Message): boolean {
  const names = valueOf(answer, 'vary').toLowerCase().split(',')
  return names.every((each) => {
    const name = each.trim()
    return name !== '*' && (name === '' || message.headers[name] === headers[name])
  })
}

/** RFC 9111, 3.2: of the newer answer everything but what belongs to its own body. */
function update(stored: Answer, newer: Answer): Answer {
  const fields = newer.headers.filter(([name]) => !/^content-(length|encoding|type|range)$/.test(name))
  const names = new Set(fields.map(([name]) => name))
  return { ...stored, headers: [...stored.headers.filter(([name]) => !names.has(name)), ...fields] }
}

function forClient({ method, headers }: Message, answer: Answer): Answer {
  const tag = valueOf(answer, 'etag')
  const isKnown = tagsOf(headers['if-none-match']).some((own) => isSameTag(own, tag))
  if (isKnown) return { ...answer, status: 304, body: '' }
  return method === 'HEAD' ? { ...answer, body: '' } : answer
}

const tagsOf = (value = ''): string[] => value.split(',').map((tag) => tag.trim())
const isSameTag = (a: string, b: string): boolean =>
  b !== '' && a.replace(/^W\//, '') === b.replace(/^W\//, '')

export function valueOf(answer: Answer, name: string): string {
  const values = answer.headers.filter(([each]) => each === name).map(([, value]) => value)
  return values.join(', ')
}

/** On loopback. Not `fetch`, which adds a Cache-Control of its own to a conditional request. */
export async function askServer(port: number, { method, path, headers, body }: Message): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers }).end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { rawHeaders: raw, statusCode: status = 0 } = response
  const names = raw.filter((_, index) => index % 2 === 0)
  const fields = names.map((name, index) => [name.toLowerCase(), raw[index * 2 + 1] ?? ''] as const)
  return { status, headers: fields, body: await text(response) }
}
