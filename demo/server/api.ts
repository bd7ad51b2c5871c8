// The shop's own routes, as an app would write them. Each gets its session; the middleware stores its changes
// before the answer leaves.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerSession, Sessions } from 'session-mirror/server'
import type { ShopSchema } from '../schema.ts'

type Session = ServerSession<ShopSchema>
type Body = Readonly<Record<string, unknown>>

interface Call {
  readonly sessions: Sessions<ShopSchema>
  readonly body: Body
  readonly agent: string
}
type Route = (session: Session, call: Call) => unknown

const people: Readonly<Record<string, string>> = { ada: 'Ada Lovelace', grace: 'Grace Hopper' }

const routes: Readonly<Record<string, Route>> = {
  'POST /api/sign-in'(session, { body: { person, remember }, agent }) {
    const name = typeof person === 'string' && Object.hasOwn(people, person) ? people[person] : undefined
    if (name === undefined) return undefined
    // Gives a new session id, and keeps the cart that was filled before the sign-in.
    session.signIn(String(person), {
      carry: ['cart', 'theme', 'visits'],
      label: labelOf(agent),
      persistent: remember !== false,
    })
    session.set('user', name)
    return { user: name }
  },
  'POST /api/order'(session) {
    const items = session.get('cart')
    const count = Object.values(items).reduce((sum, quantity) => sum + quantity, 0)
    session.set('lastOrder', { at: new Date().toISOString(), items })
    session.update('stamps', (stamps) => stamps + count)
    session.delete('cart')
    return { ordered: count }
  },
  async 'GET /api/sessions'(session, { sessions }) {
    if (session.owner === null) return { sessions: [] }
    const list = await sessions.list(session.owner)
    return { sessions: list.map((one) => ({ ...one, isHere: one.id === session.epoch })) }
  },
  async 'POST /api/sessions/end'(session, { sessions, body: { id } }) {
    if (session.owner === null) return undefined
    if (typeof id === 'string') return { ended: (await sessions.revoke(session.owner, id)) ? 1 : 0 }
    return sessions.revokeAll(session.owner, { except: session.epoch ?? '' })
  },
  // The TurboGears example: session['user'] = 'MVL', then save(), then delete().
  'POST /api/turbogears'(session, { body: { user } }) {
    if (typeof user !== 'string' || user === '' || user.length > 40) return undefined
    session.set('user', user)
    return { user }
  },
  'GET /api/turbogears': (session) => ({ user: session.get('user') ?? null }),
  'DELETE /api/turbogears'(session) {
    session.delete('user')
    return { user: null }
  },
}

/** Answers a request of the shop's API. Throws SessionErrors, such as that of the guard. */
export async function answerApi(
  request: IncomingMessage & { readonly session: Session },
  response: ServerResponse,
  sessions: Sessions<ShopSchema>,
): Promise<void> {
  // Refuses requests that another site made the browser send, before they change anything or sign anybody in.
  sessions.guard(request)
  const path = (request.url ?? '').split('?')[0]
  const route = routes[`${request.method} ${path}`]
  const body = route === undefined ? undefined : await readJson(request)
  const call = { sessions, body: body ?? {}, agent: request.headers['user-agent'] ?? '' }
  const answer = route === undefined || body === undefined ? undefined : await route(request.session, call)
  response.statusCode = route === undefined ? 404 : answer === undefined ? 400 : 200
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify(
      answer ?? {
        error: response.statusCode === 404 ? 'No such route.' : 'That was not understood.',
      },
    ),
  )
}

/** 'Chrome on Linux': enough to tell one's own devices apart. */
function labelOf(agent: string): string {
  const browser = /Edg|Firefox|Chrome|Safari/.exec(agent)?.[0] ?? 'A browser'
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(agent)?.[0]
  return system === undefined ? browser : `${browser.replace('Edg', 'Edge')} on ${system}`
}

/** The body as an object, `{}` when there is none, or undefined when it is something else. */
async function readJson(request: IncomingMessage): Promise<Body | undefined> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > 10_000) return undefined
  }
  try {
    const value: unknown = JSON.parse(text || '{}')
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined // Not JSON: the caller answers 400.
  }
}
