// The least that a server must do for a session: verify a signed cookie, ask memcached once, parse; a write is one
// compare-and-swap. Written by hand for this one app, without any handling of errors.
import { type Hmac, createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { connectFloor } from '../memcached/floor.ts'
import { greeting, profile, routes } from './scenario.ts'

interface FloorSession {
  profile: Record<string, string>
  count?: number
}

const key = createSecretKey(randomBytes(32))
const macOf = (id: string): string =>
  (createHmac('sha256', key) satisfies Hmac).update(id).digest('base64url')

export function createFloorApp(memcached: string): Server {
  const store = connectFloor(Number(memcached.split(':')[1]))

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Cache-Control', 'no-store')
    response.setHeader('Vary', 'Cookie')
    if (request.url === routes.signIn) return signIn(response)
    const id = idOf(request.headers.cookie)
    if (id === undefined) {
      response.end('nobody')
      return
    }
    const { value, token } = await store.read(`floor:${id}`)
    const session = JSON.parse(value.toString()) as FloorSession
    if (request.url === routes.write) {
      session.count = Math.random()
      await store.swap(`floor:${id}`, Buffer.from(JSON.stringify(session)), token)
      response.end('written')
      return
    }
    response.end(greeting(session.profile))
  }

  async function signIn(response: ServerResponse): Promise<void> {
    const id = randomBytes(24).toString('base64url')
    const session: FloorSession = { profile }
    await store.add(`floor:${id}`, Buffer.from(JSON.stringify(session)))
    response.setHeader('Set-Cookie', `session=${id}.${macOf(id)}; Path=/; HttpOnly; SameSite=Lax`)
    response.end('welcome')
  }

  return createServer((request, response) => void answer(request, response))
}

/** The id that the cookie names, when its signature is right. */
function idOf(header: string | undefined): string | undefined {
  const at = header?.indexOf('session=') ?? -1
  if (header === undefined || at === -1) return undefined
  const text = header.slice(at + 8)
  const id = text.slice(0, 32)
  const mac = Buffer.from(text.slice(33))
  const expected = Buffer.from(macOf(id))
  return mac.length === expected.length && timingSafeEqual(mac, expected) ? id : undefined
}
