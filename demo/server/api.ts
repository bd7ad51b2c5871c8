// The shop's own routes: what an app writes. Each has its session; the middleware stores what they change
// before the answer leaves.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerSession } from 'session-mirror/server'
import type { ShopSchema } from '../schema.ts'

type Session = ServerSession<ShopSchema>
type Body = Readonly<Record<string, unknown>>
type Route = (session: Session, body: Body) => unknown

const people: Readonly<Record<string, string>> = { ada: 'Ada Lovelace', grace: 'Grace Hopper' }

const routes: Readonly<Record<string, Route>> = {
  'POST /api/sign-in'(session, { person }) {
    const name = typeof person === 'string' && Object.hasOwn(people, person) ? people[person] : undefined
    if (name === undefined) return undefined
    // A new session id; the cart that was filled anonymously comes along.
    session.signIn(String(person), { carry: ['cart', 'theme', 'visits'] })
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
  // The TurboGears example: session['user'] = 'MVL', then save(), then delete().
  'POST /api/turbogears'(session, { user }) {
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

/** Answers a request of the shop's API; the session's own errors are the middleware's. */
export async function answerApi(
  request: IncomingMessage,
  response: ServerResponse,
  session: Session,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0]
  const route = routes[`${request.method} ${path}`]
  const body = route === undefined ? undefined : await readJson(request)
  const answer = route === undefined || body === undefined ? undefined : route(session, body)
  response.statusCode = route === undefined ? 404 : answer === undefined ? 400 : 200
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify(
      answer ?? { error: response.statusCode === 404 ? 'No such route.' : 'That was not understood.' },
    ),
  )
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
