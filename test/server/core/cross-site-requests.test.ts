// Which requests may change a session, over all that a browser says of where a request comes from. The tables
// here are written from docs/protocol.md, not from the guard.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { SessionError } from '../../../src/server.ts'
import type { SessionsOptions } from '../../../src/server.ts'
import { type Browser, type Schema, type World, createWorld, watchStore } from '../harness.ts'

const sites = ['same-origin', 'same-site', 'cross-site', 'none', 'absent'] as const
const modes = ['navigate', 'cors', 'no-cors', 'same-origin'] as const
const origins = { own: 'http://localhost', null: 'null', other: 'http://other.example', absent: undefined }
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const unsafe: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE']

interface Combination {
  readonly site: (typeof sites)[number]
  readonly mode: (typeof modes)[number]
  readonly origin: keyof typeof origins
  readonly method: (typeof methods)[number]
}
const combinations: readonly Combination[] = sites.flatMap((site) =>
  modes.flatMap((mode) =>
    (Object.keys(origins) as (keyof typeof origins)[]) // Its own keys.
      .flatMap((origin) => methods.map((method) => ({ site, mode, origin, method }))),
  ),
)

/** What lets an unsafe method through. The mode never matters; a safe method never needs to be let through. */
type Rule = Partial<Pick<Combination, 'site' | 'origin'>>
const always: readonly Rule[] = [{ site: 'same-origin' }, { site: 'absent', origin: 'own' }]

interface Policy {
  readonly name: string
  readonly options: Partial<SessionsOptions<Schema>>
  readonly rules: readonly Rule[]
  /** Counted by hand, of 5 × 4 × 4 with one method: so that no slip above lets all or none through. */
  readonly passing: number
}
const policies: readonly Policy[] = [
  { name: 'as it comes', options: {}, rules: always, passing: 20 },
  {
    name: 'with an allowed origin',
    options: { allowedOrigins: ['http://other.example'] },
    rules: [...always, { origin: 'other' }],
    passing: 36,
  },
  {
    name: 'with clients that are no browsers',
    options: { allowNonBrowser: true },
    rules: [...always, { site: 'absent', origin: 'absent' }],
    passing: 24,
  },
]

interface Target {
  readonly url: string
  /** The methods that change something here. All others must change nothing, wherever they come from. */
  readonly changing: readonly string[]
  /** What a change asks of the store, reads left out. */
  readonly writes: readonly string[]
  /** What the change leaves: the session's revision was 2 and its owner alice. */
  readonly after: string
}
const untouched = '2 alice'
const targets: readonly Target[] = [
  { url: '/session/sync', changing: ['POST'], writes: ['replace'], after: '3 alice' },
  // Rotation is due: the session goes on under another id.
  { url: '/session/refresh', changing: ['POST'], writes: ['create', 'replace'], after: untouched },
  { url: '/session', changing: ['DELETE'], writes: ['replace'], after: 'ended' },
  { url: '/app', changing: unsafe, writes: ['replace'], after: '3 alice' },
]

function isLetThrough({ site, origin }: Combination, rules: readonly Rule[]): boolean {
  return rules.some((rule) => (rule.site ?? site) === site && (rule.origin ?? origin) === origin)
}

function headersOf({ site, mode, origin }: Combination): Record<string, string | undefined> {
  return {
    'sec-fetch-site': site === 'absent' ? undefined : site,
    'sec-fetch-mode': mode,
    origin: origins[origin],
    'session-mirror': '1',
    'content-type': 'application/json',
  }
}

interface Attempt {
  readonly target: Target
  readonly combination: Combination
  readonly epoch?: string | null
}

interface Told {
  readonly code: string
  readonly setsCookie: boolean
}

/** A route of the app as README has it: guarded, and it changes something only where its method may. */
async function app({ sessions }: World, browser: Browser, combination: Combination): Promise<Told> {
  const { method } = combination
  const request = browser.request('/app', { method, headers: headersOf(combination) })
  try {
    sessions.guard(request)
    const session = await sessions.load(request)
    if (unsafe.includes(method)) session.set('theme', 'changed')
    else session.get('theme')
    await session.save()
    const { headers } = sessions.answer(session, new Response())
    return { code: '', setsCookie: headers.has('set-cookie') }
  } catch (error) {
    if (error instanceof SessionError) return { code: error.code, setsCookie: false }
    throw error
  }
}

async function send(browser: Browser, { target, combination, epoch }: Attempt): Promise<Told> {
  const mutations = [{ id: 'mutation-of-test', kind: 'set', key: 'theme', value: 'changed' }]
  const batch = JSON.stringify({ client: 'client-of-test', number: 1, mutations })
  const known = { epoch, owner: 'alice', since: 0 }
  const body = JSON.stringify(target.url.endsWith('sync') ? { ...known, batch } : known)
  const { method } = combination
  const isRead = method === 'GET' || method === 'HEAD'
  const sent = isRead ? undefined : body
  const reply = await browser.send(target.url, { method, body: sent, headers: headersOf(combination) })
  return { code: reply.code, setsCookie: reply.cookies.length > 0 }
}

/** Everything that a combination did, as text that says which one it was. */
interface Seen {
  readonly label: string
  readonly writes: string
  readonly state: string
  readonly isRefused: boolean
  /** A refusal says what it is, asks the store nothing and sets no cookie. */
  readonly isQuiet: boolean
}

async function tryOut(world: World, calls: string[], attempt: Attempt): Promise<Seen> {
  const { target, combination } = attempt
  const browser = world.browser()
  await browser.app((session) => session.signIn('alice'))
  await browser.app((session) => session.set('user', { name: 'alice' }))
  const { epoch } = (await browser.get()).message
  world.sleep(500)
  calls.length = 0
  const told =
    target.url === '/app'
      ? await app(world, browser, combination)
      : await send(browser.copy(), { ...attempt, epoch })
  const made = [...calls]
  const { code, message } = await browser.get()
  return {
    label: JSON.stringify(combination),
    writes: made.filter((call) => call !== 'read').join(' '),
    state: code === '' ? `${message.revision} ${message.owner}` : code,
    isRefused: told.code === 'cross-site',
    isQuiet: made.length === 0 && !told.setsCookie,
  }
}

/** What the tables want of `seen`. Only a refusal has to be quiet. */
function expectedOf({ target, combination }: Attempt, { rules }: Policy, seen: Seen): Seen {
  const isChanging = target.changing.includes(combination.method)
  const isAllowed = isLetThrough(combination, rules)
  const changes = isChanging && isAllowed
  return {
    label: seen.label,
    writes: changes ? target.writes.join(' ') : '',
    state: changes ? target.after : untouched,
    isRefused: isChanging && !isAllowed,
    isQuiet: isChanging ? !isAllowed : seen.isQuiet,
  }
}

describe.each(policies)('$name', (policy) => {
  test.each(targets)('all 480 combinations change $url where they may, and nowhere else', async (target) => {
    // The list of an owner's sessions notes when a cookie is renewed: that is no change of a session.
    const store = watchStore(memoryStore(), 'sm1:')
    const world = createWorld({
      ...policy.options,
      store,
      // A new id is no change of a session, but only the refresh is to give one here.
      ...(target.url.endsWith('refresh') ? { rotateSeconds: 400 } : {}),
    })
    let changed = 0
    const wrong: { seen: Seen; expected: Seen }[] = []
    for (const combination of combinations) {
      const attempt = { target, combination }
      const seen = await tryOut(world, store.calls, attempt)
      const expected = expectedOf(attempt, policy, seen)
      if (JSON.stringify(seen) !== JSON.stringify(expected)) wrong.push({ seen, expected })
      if (seen.writes !== '') changed++
    }
    expect(combinations).toHaveLength(480)
    expect(wrong.slice(0, 3)).toEqual([])
    expect(changed).toBe(policy.passing * target.changing.length)
  })
})
