// Sessions for Fastify: answers the session routes before Fastify reads a body, gives every other request its
// `session`, and lets no answer go before what it promises is stored.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { SessionError } from '../../protocol/errors.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { Sessions } from '../app/sessions.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, errorAnswer } from '../http/core-answer.ts'
import { type HeaderAccess, mergeHeader } from '../http/session-headers.ts'
import { revertChanges, tellMistake } from './middleware.ts'
import { checkSessions, holdSessionOf, isFirstOf, sessionDecorator } from './request-session.ts'
import { heldAnswerOf } from './hold-answer.ts'
import { isUnread } from './send-answer.ts'
import { holdForSession, isUnseen } from './session-answer.ts'

/** What `sessionPlugin` gives: Fastify's `register` takes it. */
export type SessionPlugin = (fastify: FastifyInstance) => Promise<void>

/** Leads from a request to the SessionError that its handler threw. */
const thrown: unique symbol = Symbol('session-mirror.thrown')
type ThrowingRequest = FastifyRequest & { [thrown]?: SessionError }

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
  checkSessions('sessionPlugin', sessions)

  async function open(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    // Before anything else: an error answer, too, must be readable for a page that may read the good one.
    for (const field of sessions.cors(request.raw)) mergeHeader(fastifyHeaders, reply, field)
    try {
      const answer = await sessions.handle(request.raw)
      if (answer !== undefined) {
        if (isUnread(request.raw, answer)) reply.header('connection', 'close')
        return sendAnswer(reply, answer)
      }
      const isFirst = isFirstOf(sessions, request.raw)
      const session = await sessions.load(request.raw)
      holdSessionOf(request, session)
      // Express around Fastify, with the same sessions, holds the answer already.
      if (!isFirst) return undefined
      holdForSession(reply.raw, sessions.progress(session), (error) => {
        if (isUnseen(error)) request.log.error(error)
      })
      return undefined
    } catch (error) {
      if (error instanceof SessionError) return sendAnswer(reply, errorAnswer(error))
      throw error
    }
  }

  async function plugin(fastify: FastifyInstance): Promise<void> {
    if (fastify.hasRequestDecorator('session')) throw refusal('session-taken')
    fastify.decorateRequest('session', sessionDecorator)
    fastify.addHook('onRequest', open)
    fastify.addHook('onError', noteThrown)
    fastify.addHook('onSend', answerThrown)
    revertBeforeErrorHandlers(fastify)
  }

  return Object.assign(plugin, {
    // For the whole app, and not only for what is registered inside: as `fastify-plugin` does it.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'session-mirror',
  })
}

const fastifyHeaders: HeaderAccess<FastifyReply> = {
  get(reply, name) {
    const value = reply.getHeader(name)
    return value === undefined || typeof value === 'string' ? value : String(value)
  },
  names: (reply) => Object.keys(reply.getHeaders()),
  set: (reply, name, value) => void reply.header(name, value),
  // Fastify keeps all values of Set-Cookie by itself.
  appendCookie: (reply, line) => void reply.header('set-cookie', line),
}

type ErrorHandler = NonNullable<RouteOptions['errorHandler']>

/**
 * A handler that throws keeps nothing, whatever the app's own error handler answers. No hook runs before that one: the
 * hook `onError` runs only when it sends an error on. Costs nothing for a request whose handler throws nothing.
 */
function revertBeforeErrorHandlers(fastify: FastifyInstance): void {
  const original = fastify.setErrorHandler
  Object.assign(fastify, {
    setErrorHandler(this: FastifyInstance, handler: ErrorHandler, ...rest: unknown[]): unknown {
      return Reflect.apply(original, this, [reverting(handler), ...rest])
    },
  })
  fastify.addHook('onRoute', (route) => {
    if (route.errorHandler !== undefined) route.errorHandler = reverting(route.errorHandler)
  })
}

function reverting(handler: ErrorHandler): ErrorHandler {
  // Fastify has a sentence of its own for what is no function.
  if (typeof handler !== 'function') return handler
  return function revertFirst(error, request, reply) {
    revertUnanswered(request, reply)
    return Reflect.apply(handler, this, [error, request, reply])
  }
}

/** An answer that was given before stays, with what was changed for it. */
function revertUnanswered(request: FastifyRequest, { raw }: FastifyReply): void {
  if (heldAnswerOf(raw)?.isDecided !== true) revertChanges(request)
}

async function noteThrown(request: ThrowingRequest, reply: FastifyReply, error: Error): Promise<void> {
  revertUnanswered(request, reply)
  if (!(error instanceof SessionError)) return
  request[thrown] = error
  tellMistake(request, error)
}

async function answerThrown(
  request: ThrowingRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const error = request[thrown]
  // Fastify's own handler makes a 500 of it; that of the app may have made something else.
  if (error === undefined || reply.statusCode !== 500) return payload
  revertChanges(request)
  return replaceAnswer(reply, payload, error)
}

function sendAnswer(reply: FastifyReply, { status, headers, body }: CoreAnswer): FastifyReply {
  for (const field of headers) mergeHeader(fastifyHeaders, reply, field)
  return reply.code(status).send(typeof body === 'string' ? body : Readable.from(body))
}

/** The problem instead of the app's answer, of which only what CORS needs stays. */
function replaceAnswer(reply: FastifyReply, payload: unknown, error: SessionError): unknown {
  if (payload instanceof Readable) payload.destroy()
  for (const name of Object.keys(reply.getHeaders())) {
    if (name !== 'vary' && !name.startsWith('access-control-')) reply.removeHeader(name)
  }
  const { status, headers, body } = errorAnswer(error)
  reply.code(status)
  for (const field of headers) mergeHeader(fastifyHeaders, reply, field)
  return body
}
