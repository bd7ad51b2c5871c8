// The session routes, and those of the mirror, the batch and the refresh themselves.
import { SessionError } from '../../protocol/errors.ts'
import { type Batch, type SyncRequest, parseBatch, parseSyncRequest } from '../../protocol/messages.ts'
import { routesOf } from '../../protocol/names.ts'
import { answerFrom } from './answers.ts'
import { type BatchContext, applyBatch } from '../changes/batch.ts'
import { createRecord, isEmpty } from '../changes/change.ts'
import { type Core, now } from '../core/core.ts'
import { corsHeaders, preflightAnswer } from '../core/cors.ts'
import { diagnose } from './diagnosis.ts'
import type { OpenEvents } from './events.ts'
import { checkType, guard, guardReading } from '../core/guard.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { type DeadSession, type LiveSession, type Loaded, deadError } from '../lifecycle/loaded.ts'
import { goneError } from '../lifecycle/locate.ts'
import { emptyMessage, parseKnown } from '../changes/patch.ts'
import { type Placed, type SessionRecord, createPlace } from '../codec/record.ts'
import { createFirst } from '../lifecycle/relocate.ts'
import { cookieHeaders, wantsRenewal } from '../core/cookie-fate.ts'
import type { CoreRequest } from '../http/request.ts'
import {
  type CoreAnswer,
  emptyAnswer,
  messageAnswer,
  notModified,
  problemAnswer,
  withHeaders,
} from '../http/core-answer.ts'
import { isRotationDue, rotateIfDue } from '../lifecycle/rotate.ts'
import { signOut } from './sign-out.ts'

type Route = (lifecycle: Lifecycle, request: CoreRequest) => Promise<CoreAnswer>

export interface Entrance {
  readonly core: Core
  readonly openEvents: OpenEvents
  /** What a route works with for one request, and the request as it is to be read. */
  enter(request: CoreRequest): { readonly lifecycle: Lifecycle; readonly request: CoreRequest }
}

/**
 * Gives the answer of a session route, or of a preflight from an allowed origin for any path; undefined for
 * everything else. Rejects only where a bug is.
 */
export function createRoutes({
  core,
  openEvents,
  enter,
}: Entrance): (request: CoreRequest) => Promise<CoreAnswer | undefined> {
  const { base } = core
  const { mirror, sync, refresh, events, diagnosis } = routesOf(base)
  // Maps, so that no path or method finds a member of Object.prototype.
  const reading = { GET: getMirror, HEAD: getMirror }
  const routes = new Map<string, ReadonlyMap<string, Route>>([
    [mirror, new Map(Object.entries({ ...reading, DELETE: signOut }))],
    [sync, new Map([['POST', postSync]])],
    [refresh, new Map([['POST', postRefresh]])],
    [events, new Map<string, Route>([['GET', getEvents]])],
    [diagnosis, new Map<string, Route>([['GET', getDiagnosis]])],
  ])

  async function answer(path: string, request: CoreRequest): Promise<CoreAnswer> {
    try {
      // A worker's script would stay, and see every request: none is ever read from here.
      if (request.header('service-worker') !== undefined) throw new SessionError('cross-site')
      const methods = routes.get(path)
      if (methods === undefined) throw new SessionError('not-found')
      const route = methods.get(request.method)
      if (route !== undefined) return await answerRoute(request, route)
      const allow = [...methods.keys()].join(', ')
      return problemAnswer(new SessionError('method-not-allowed'), [['allow', allow]])
    } catch (error) {
      if (!(error instanceof SessionError)) throw error
      core.watch.tell('refuse', { code: error.code })
      return problemAnswer(error)
    }
  }

  function answerRoute(request: CoreRequest, route: Route): Promise<CoreAnswer> {
    if (route === getEvents || route === getDiagnosis) guardReading(core, request)
    else if (route !== getMirror) {
      guard(core, request)
      checkType(request)
    }
    const entered = enter(request)
    return route(entered.lifecycle, entered.request)
  }

  async function getEvents({ core: { carried } }: Lifecycle, from: CoreRequest): Promise<CoreAnswer> {
    // Nobody but the browser itself could tell what is new. An EventSource that is told 204 does not come again.
    return carried === undefined ? openEvents(from) : emptyAnswer([['vary', 'Cookie']])
  }

  return async (request) => {
    const preflight = preflightAnswer(core, request)
    if (preflight !== undefined) return preflight
    const [path = ''] = request.url.split('?')
    if (path !== base && !path.startsWith(`${base}/`)) return undefined
    return withHeaders(await answer(path, request), corsHeaders(core, request))
  }
}

async function getDiagnosis({ core }: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  return diagnose(core, request)
}

async function getMirror(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const { core } = lifecycle
  const known = parseKnown(request.url)
  const loaded = await loadSession(lifecycle, request)
  if (loaded.state === 'none') return forMethod(request, messageAnswer(emptyMessage()))
  const live = requireFresh(loaded)
  const { epoch, revision } = live.record
  const etag = `"${epoch}.${revision}"`
  const tags = (request.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  const next = await renewal(lifecycle, live, live)
  const isSet = next.cookie === undefined || core.carried?.isChanged === true
  if (tags.includes(etag))
    return notModified([
      ['etag', etag],
      ...cookieHeaders(core, request, { fate: isSet ? 'set' : 'keep', placed: next }),
    ])
  return forMethod(request, answerFrom(core, request, { ...next, known, etag }))
}

async function postSync(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const { core, commit } = lifecycle
  const body = parseSyncRequest(await request.body())
  const batch = body.batch === undefined ? undefined : { text: body.batch, parsed: parseBatch(body.batch) }
  const loaded = await loadSession(lifecycle, request)
  if (loaded.state !== 'live')
    return syncAnew({ core, request, loaded, body, batch: batch?.parsed, hash: hashOf(core, batch?.text) })
  const live = requireFresh(loaded)
  checkEnvelope(body, live.record)
  if (batch === undefined)
    return answerFrom(core, request, { ...(await renewal(lifecycle, live, live)), known: body })
  const hash = hashOf(core, batch.text)
  const { place, record, result } = await commit(live, (before) => {
    const applied = applyBatch(before, batch.parsed, contextOf(core, before, hash))
    return { record: applied.record, result: applied.outcomes }
  })
  const next = await renewal(lifecycle, live, { place, record })
  return answerFrom(core, request, { ...next, known: body, outcomes: result })
}

/** What is answered from: with a new cookie, and perhaps a new id, once half of the fresh time is over. */
async function renewal(
  lifecycle: Lifecycle,
  live: LiveSession,
  present: Placed,
): Promise<Placed & { readonly cookie: LiveSession['cookie'] | undefined }> {
  const next = wantsRenewal(lifecycle.core, live) ? await rotateIfDue(lifecycle, live, present) : undefined
  return next === undefined ? { ...present, cookie: live.cookie } : { ...next, cookie: undefined }
}

interface Anew {
  readonly core: Core
  readonly request: CoreRequest
  readonly loaded: Exclude<Loaded, LiveSession>
  readonly body: SyncRequest
  readonly batch: Batch | undefined
  readonly hash: string
}

/** The first batch of a browser that has no session, whatever dead cookie it still carries. */
async function syncAnew({ core, request, loaded, body, batch, hash }: Anew): Promise<CoreAnswer> {
  if (body.epoch !== null)
    throw loaded.state === 'dead' ? deadError(loaded) : new SessionError('epoch-mismatch')
  if (body.owner !== null) throw new SessionError('epoch-mismatch')
  if (batch === undefined) return messageAnswer(emptyMessage())
  const before = createRecord(core, null)
  const { record, outcomes } = applyBatch(before, batch, contextOf(core, before, hash))
  if (isEmpty(record)) return messageAnswer(emptyMessage(outcomes))
  const created = await createFirst(core, createPlace(core.ring, core.crypto), record)
  return answerFrom(core, request, { ...created, outcomes })
}

/** Extends the cookie, with a new session id when one is due. Asks no epoch: it changes nothing that has one. */
async function postRefresh(lifecycle: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const { core, rotate } = lifecycle
  const known = parseSyncRequest(await request.body())
  const loaded = await loadSession(lifecycle, request)
  if (loaded.state === 'none') return messageAnswer(emptyMessage())
  if (loaded.state === 'dead') throw deadError(loaded)
  if (!isRotationDue(core, loaded)) return answerFrom(core, request, { ...loaded, known, cookie: undefined })
  const rotated = await rotate(loaded.place)
  if (rotated.state !== 'live') throw goneError(rotated)
  return answerFrom(core, request, { ...rotated.placed, known })
}

function forMethod({ method }: CoreRequest, full: CoreAnswer): CoreAnswer {
  return method === 'HEAD' ? { ...full, body: '' } : full
}

/** A dead session is told before a stale cookie: there is nothing left to refresh. */
function requireFresh(loaded: LiveSession | DeadSession): LiveSession {
  if (loaded.state === 'dead') throw deadError(loaded)
  if (loaded.isStale) throw new SessionError('stale')
  return loaded
}

/** A batch written for one session never reaches another. */
function checkEnvelope({ epoch, owner }: SyncRequest, record: SessionRecord): void {
  const isMeant = epoch === null ? record.owner === null : epoch === record.epoch
  if (!isMeant || owner !== record.owner) throw new SessionError('epoch-mismatch')
}

function contextOf(core: Core, before: SessionRecord, hash: string): BatchContext {
  const { schema, clients } = core
  return { schema, hash, now: now(core), numbering: core.numbering(before), clients }
}

function hashOf(core: Core, text = ''): string {
  return core.crypto.hash(text)
}
