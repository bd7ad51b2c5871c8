// The session routes: which there are, who may ask each, and how a refusal is answered. What a route says is decided in
// the file of its name.
import { SessionError } from '../../protocol/errors.ts'
import { routesOf } from '../../protocol/names.ts'
import { type Core, tellRefusal } from '../core/core.ts'
import { corsHeaders, preflightAnswer } from '../core/cors.ts'
import { checkProxy, checkType, guard, guardReading, isSpeculative } from '../core/guard.ts'
import { refusal } from '../core/refusal.ts'
import { type CoreAnswer, problemAnswer, withHeaders } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { answerDiagnosis } from './answer-diagnosis.ts'
import { createAnswerEvents } from './answer-events.ts'
import { answerMirror } from './answer-mirror.ts'
import { answerRefresh } from './answer-refresh.ts'
import { answerSignOut } from './answer-sign-out.ts'
import { answerSync } from './answer-sync.ts'

/** What a route works with for one request, and the request as it is to be read. */
export type EnterRequest = (request: CoreRequest) => {
  readonly lifecycle: Lifecycle
  readonly request: CoreRequest
}

interface Route {
  /**
   * Who may ask. `anybody` with the cookie: it changes nothing, and another site cannot read the answer. `own-pages`:
   * it holds resources. `own-requests`: it changes something.
   */
  readonly access: 'anybody' | 'own-pages' | 'own-requests'
  answer(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer>
}

/** Routes by path, then by method. Maps, so that no path or method finds a member of Object.prototype. */
type RouteTable = ReadonlyMap<string, ReadonlyMap<string, Route>>

/**
 * Gives the answer of a session route, or of a preflight from an allowed origin for any path; undefined for
 * everything else. Rejects only where a bug is.
 */
export function createRoutes(
  core: Core,
  enter: EnterRequest,
): (request: CoreRequest) => Promise<CoreAnswer | undefined> {
  const { base } = core
  const table = createTable(base)

  async function answer(path: string, request: CoreRequest): Promise<CoreAnswer> {
    try {
      // A worker's script would stay, and see every request: none is ever read from here.
      if (request.header('service-worker') !== undefined) throw refusal('cross-site')
      const methods = table.get(path)
      if (methods === undefined) throw refusal('not-found')
      const route = methods.get(request.method)
      if (route === undefined) return notAllowedAnswer(methods)
      checkAccess(core, route, request)
      const entered = enter(request)
      return await route.answer(entered.lifecycle, entered.request)
    } catch (error) {
      if (!(error instanceof SessionError)) throw error
      tellRefusal(core, error)
      return problemAnswer(error)
    }
  }

  return async (request) => {
    const preflight = preflightAnswer(core, request)
    if (preflight !== undefined) return preflight
    const [path = ''] = request.url.split('?')
    if (path !== base && !path.startsWith(`${base}/`)) return undefined
    return withHeaders(await answer(path, request), corsHeaders(core, request))
  }
}

function createTable(base: string): RouteTable {
  const { mirror, sync, refresh, events, diagnosis } = routesOf(base)
  const reading: Route = { access: 'anybody', answer: answerMirror }
  const signOut: Route = { access: 'own-requests', answer: answerSignOut }
  const methods = (method: string, route: Route): ReadonlyMap<string, Route> => new Map([[method, route]])
  return new Map([
    [mirror, new Map(Object.entries({ GET: reading, HEAD: reading, DELETE: signOut }))],
    [sync, methods('POST', { access: 'own-requests', answer: answerSync })],
    [refresh, methods('POST', { access: 'own-requests', answer: answerRefresh })],
    [events, methods('GET', { access: 'own-pages', answer: createAnswerEvents() })],
    [diagnosis, methods('GET', { access: 'own-pages', answer: answerDiagnosis })],
  ])
}

/** @throws SessionError `proxy-untrusted`, `cross-site`, `speculative`, `unsupported-type` */
function checkAccess(core: Core, { access, answer }: Route, request: CoreRequest): void {
  // The diagnosis is what finds such a proxy.
  if (answer !== answerDiagnosis) checkProxy(core, request)
  if (access === 'own-pages') guardReading(core, request)
  if (access !== 'own-requests') return
  guard(core, request)
  if (isSpeculative(request)) throw refusal('speculative', { retryAfterSeconds: 1 })
  checkType(request)
}

function notAllowedAnswer(methods: ReadonlyMap<string, Route>): CoreAnswer {
  return problemAnswer(refusal('method-not-allowed'), [['allow', [...methods.keys()].join(', ')]])
}
