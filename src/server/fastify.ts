// Sessions for Fastify: answers the session routes before Fastify reads a body, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SessionError } from '../protocol/errors.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { Sessions } from './handler.ts'
import type { SessionProgress } from './progress.ts'
import { isUnread } from './node.ts'
import { type CoreAnswer, type Header, appHeaders, mergeVary, problemAnswer } from './respond.ts'

export type SessionPlugin = (fastify: FastifyInstance) => Promise<void>

/** What is known of one request while it runs. */
interface Running {
  progress(): SessionProgress
  /** What a handler threw. */
  error: SessionError | undefined
}

/**
 * A plugin for Fastify 5. Register it before the routes; it holds for the whole app, 404s and errors included.
 *
 * A SessionError of a handler, such as `cross-site` from the guard, becomes a problem answer unless the app's own
 * error handler gives it a status of its own. What is sent past Fastify (`reply.hijack()`, `reply.raw`) is out of reach: save the
 * session before, and add no cookie.
 * @example
 * declare module 'fastify' {
 *   interface FastifyRequest { session: ServerSession<typeof schema> }
 * }
 * await app.register(sessionPlugin(sessions))
 */
export function sessionPlugin<S extends SessionSchema>(sessions: Sessions<S>): SessionPlugin {
  const runs = new WeakMap<FastifyRequest, Running>()

  async function open(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    // Before anything else: an error answer, too, must be readable for a page that may read the good one.
    for (const field of sessions.cors(request.raw)) addHeader(reply, field)
    try {
      const answer = await sessions.handle(request.raw)
      if (answer !== undefined) {
        if (isUnread(request.raw, answer)) reply.header('connection', 'close')
        return sendAnswer(reply, answer)
      }
      const session = await sessions.load(request.raw)
      Object.assign(request, { session })
      runs.set(request, { progress: () => sessions.progress(session), error: undefined })
      return undefined
    } catch (error) {
      if (error instanceof SessionError) return sendAnswer(reply, problemAnswer(error))
      throw error
    }
  }

  async function close(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const run = runs.get(request)
    if (run === undefined) return payload
    // Fastify's own handler makes a 500 of it; that of the app may have made something else.
    if (run.error !== undefined && reply.statusCode === 500) return replace(reply, payload, run.error)
    const progress = run.progress()
    // An answer that everybody may have is not for renewing somebody's cookie, and says nothing of a session.
    if (!progress.isTouched && /\bpublic\b/i.test(textOf(reply, 'cache-control') ?? '')) return payload
    try {
      if (!progress.isSettled && !progress.hasFailed) await progress.finish()
    } catch (error) {
      if (error instanceof SessionError) return replace(reply, payload, error)
      throw error
    }
    for (const field of appHeaders(run.progress(), (name) => textOf(reply, name))) addHeader(reply, field)
    return payload
  }

  async function plugin(fastify: FastifyInstance): Promise<void> {
    fastify.decorateRequest('session')
    fastify.addHook('onRequest', open)
    fastify.addHook('onError', async (request, _reply, error) => {
      const run = runs.get(request)
      if (run !== undefined && error instanceof SessionError) run.error = error
    })
    fastify.addHook('onSend', close)
  }

  return Object.assign(plugin, {
    // For the whole app, and not only for what is registered inside: as `fastify-plugin` does it.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'session-mirror',
  })
}

function sendAnswer(reply: FastifyReply, { status, headers, body }: CoreAnswer): FastifyReply {
  for (const field of headers) addHeader(reply, field)
  return reply.code(status).send(typeof body === 'string' ? body : Readable.from(body))
}

/** The problem instead of the app's answer, of which only what CORS needs stays. */
function replace(reply: FastifyReply, payload: unknown, error: SessionError): unknown {
  if (payload instanceof Readable) payload.destroy()
  for (const name of Object.keys(reply.getHeaders())) {
    if (name !== 'vary' && !name.startsWith('access-control-')) reply.removeHeader(name)
  }
  const { status, headers, body } = problemAnswer(error)
  reply.code(status)
  for (const field of headers) addHeader(reply, field)
  return body
}

function addHeader(reply: FastifyReply, [name, value]: Header): void {
  // Fastify keeps all values of Set-Cookie by itself.
  reply.header(name, name === 'vary' ? mergeVary(textOf(reply, name), value) : value)
}

function textOf(reply: FastifyReply, name: string): string | undefined {
  const value = reply.getHeader(name)
  return value === undefined || typeof value === 'string' ? value : String(value)
}
