// Sessions for Fastify: answers the session routes before Fastify reads a body, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { Sessions } from '../app/sessions.ts'
import type { SessionRequest } from './middleware.ts'
import { type CoreAnswer, type Header, mergeVary, problemAnswer } from '../http/respond.ts'
import { isUnread } from './send-answer.ts'
import { holdForSession } from './session-answer.ts'

export type SessionPlugin = (fastify: FastifyInstance) => Promise<void>

/**
 * A plugin for Fastify 5. Register it before the routes; it holds for the whole app, 404s and errors included.
 *
 * A SessionError of a handler, such as `cross-site` from the guard, becomes a problem answer unless the app's own
 * error handler gives it a status of its own. Node's own answer is held, so that later hooks, a `Response` as payload
 * and `reply.raw` are covered as well.
 * @example
 * declare module 'fastify' {
 *   interface FastifyRequest { session: ServerSession<typeof schema> }
 * }
 * await app.register(sessionPlugin(sessions))
 */
export function sessionPlugin<S extends SessionSchema>(sessions: Sessions<S>): SessionPlugin {
  /** What a handler threw. */
  const thrown = new WeakMap<FastifyRequest, SessionError>()

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
      holdForSession(reply.raw, {
        progressOf: () => sessions.progress(session),
        onError: (error) => request.log.error(error),
      })
      return undefined
    } catch (error) {
      if (error instanceof SessionError) return sendAnswer(reply, problemAnswer(error))
      throw error
    }
  }

  async function answerThrown(
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
  ): Promise<unknown> {
    const error = thrown.get(request)
    // Fastify's own handler makes a 500 of it; that of the app may have made something else.
    if (error === undefined || reply.statusCode !== 500) return payload
    // What the handler changed before it threw is dropped, as with Express.
    ;(request as Partial<SessionRequest>).session?.revert()
    return replace(reply, payload, error)
  }

  async function plugin(fastify: FastifyInstance): Promise<void> {
    fastify.decorateRequest('session')
    fastify.addHook('onRequest', open)
    fastify.addHook('onError', async (request, _reply, error) => {
      if (error instanceof SessionError) thrown.set(request, error)
    })
    fastify.addHook('onSend', answerThrown)
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
