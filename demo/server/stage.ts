// Routes that only the demo has: they show the cookie and the record, make the cookie stale early, restart the store and
// cut the network. Their paths are not listed as API, so the worker leaves them alone.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CoreRequest, type Sessions, createSessions } from 'session-mirror/server'
import { type ShopSchema, schema } from '../schema.ts'
import type { Backend } from './backend.ts'
import { factsOf } from './memcached-facts.ts'

interface StageOptions {
  readonly sessions: Sessions<ShopSchema>
  readonly backend: Backend
  readonly secrets: readonly string[]
}

type Stage = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

/** Answers `/demo/…`; false for every other path. */
export function createStage({ sessions, backend, secrets }: StageOptions): Stage {
  // The same sessions, but with cookies that are fresh for one second only.
  const brief = createSessions({ schema, secrets, store: backend.store, freshSeconds: 1 })

  async function inspect(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { cookie, storeKey, record } = await sessions.inspect(request)
    const memcached = backend.address === null ? null : await factsOf(backend.address, storeKey)
    const store = {
      kind: backend.kind,
      description: backend.description,
      canRestart: backend.restart !== undefined,
      memcached,
    }
    json(response, 200, { cookie, storeKey, record, store, at: Math.floor(Date.now() / 1000) })
  }

  async function expire(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await brief.handle(asRefresh(request))
    for (const [name, value] of answer?.headers ?? []) {
      if (name.toLowerCase() === 'set-cookie') response.appendHeader(name, value)
    }
    json(response, answer?.status ?? 500, { freshIn: answer?.status === 200 ? 1 : null })
  }

  async function restart(response: ServerResponse): Promise<void> {
    if (backend.restart === undefined)
      return json(response, 409, { error: 'This memcached is not the demo’s to restart.' })
    await backend.restart()
    json(response, 200, { restarted: backend.kind })
  }

  return async (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (!path.startsWith('/demo/')) return false
    try {
      if (path === '/demo/inspect') await inspect(request, response)
      else if (path === '/demo/expire' && isOurs(request)) await expire(request, response)
      else if (path === '/demo/restart-store' && isOurs(request)) await restart(response)
      else json(response, 404, { error: 'No such route.' })
    } catch (error) {
      // The store does not answer, and the inspector shows that.
      json(response, 503, { error: error instanceof Error ? error.message : 'unavailable' })
    }
    return true
  }

  function isOurs(request: IncomingMessage): boolean {
    if (request.method !== 'POST') return false
    sessions.guard(request)
    return true
  }
}

/** Whether “Go offline” is pressed in this browser. Then the server hangs up on its pages and on its worker. */
export function playsOffline(request: IncomingMessage): boolean {
  return (request.headers.cookie ?? '').split('; ').includes('demo-offline=1')
}

/** The request that this browser would send for a refresh. */
function asRefresh(request: IncomingMessage): CoreRequest {
  const given: Record<string, string> = {
    'content-type': 'application/json',
    'session-mirror': '1',
  }
  const header = (name: string): string | undefined => {
    const value = given[name] ?? request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  return {
    method: 'POST',
    url: '/session/refresh',
    secure: false,
    host: request.headers.host ?? '',
    header,
    body: async () => JSON.stringify({ epoch: null, owner: null, since: 0 }),
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.setHeader('cache-control', 'no-store')
  response.end(JSON.stringify(body))
}
