// The session routes, and those of the mirror, the batch and the refresh themselves.
import { SessionError } from '../protocol/errors.ts'
import { type Batch, type SyncRequest, parseBatch, parseSyncRequest } from '../protocol/messages.ts'
import { routesOf } from '../protocol/names.ts'
import { answerFrom } from './answers.ts'
import { applyBatch } from './batch.ts'
import { createRecord, isEmpty } from './change.ts'
import { type Core, now } from './core.ts'
import { corsHeaders, preflightAnswer } from './cors.ts'
import type { OpenEvents } from './events.ts'
import { checkType, guard, guardReading } from './guard.ts'
import { type DeadSession, type LiveSession, type Loaded, type Loading, loadSession } from './load.ts'
import { emptyMessage, parseKnown } from './patch.ts'
import { type SessionRecord, createPlace } from './record.ts'
import { type Moved, createFirst } from './relocate.ts'
import { cookieHeaders, wantsRenewal } from './renew.ts'
import type { CoreRequest } from './request.ts'
import { type CoreAnswer, messageAnswer, notModified, problemAnswer, withHeaders } from './respond.ts'
import { isRotationDue, renewed } from './rotate.ts'
import { signOut } from './sign-out.ts'

export interface Tools extends Loading {
  readonly openEvents: OpenEvents
}

type Route = (tools: Tools, request: CoreRequest) => Promise<CoreAnswer>

/**
 * Gives the answer of a session route, or of a preflight from an allowed origin for any path; undefined for
 * everything else. Rejects only where a bug is.
 */
export function createRoutes(tools: Tools): (request: CoreRequest) => Promise<CoreAnswer | undefined> {
  const { core } = tools
  const { base } = core
  const { mirror, sync, refresh, events } = routesOf(base)
  // Maps, so that no path or method finds a member of Object.prototype.
  const reading = { GET: getMirror, HEAD: getMirror }
  const routes = new Map<string, ReadonlyMap<string, Route>>([
    [mirror, new Map(Object.entries({ ...reading, DELETE: signOut }))],
    [sync, new Map([['POST', postSync]])],
    [refresh, new Map([['POST', postRefresh]])],
    [events, new Map([['GET', getEvents]])],
  ])

  async function answer(path: string, request: CoreRequest): Promise<CoreAnswer> {
    try {
      const methods = routes.get(path)
      if (methods === undefined) throw new SessionError('not-found')
      const route = methods.get(request.method)
      if (route !== undefined) return await answerRoute(tools, request, route)
      const allow = [...methods.keys()].join(', ')
      return problemAnswer(new SessionError('method-not-allowed'), [['allow', allow]])
    } catch (error) {
      if (!(error instanceof SessionError)) throw error
      core.watch.tell('refuse', { code: error.code })
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

function answerRoute(tools: Tools, request: CoreRequest, route: Route): Promise<CoreAnswer> {
  if (route === getEvents) guardReading(tools.core, request)
  else if (route !== getMirror) {
    guard(tools.core, request)
    checkType(request)
  }
  return route(tools, request)
}

function getEvents({ openEvents }: Tools, request: CoreRequest): Promise<CoreAnswer> {
  return openEvents(request)
}

async function getMirror(tools: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const { core } = tools
  const known = parseKnown(request.url)
  const loaded = await loadSession(tools, request)
  if (loaded.state === 'none') return forMethod(request, messageAnswer(emptyMessage()))
  const live = requireFresh(loaded)
  const { epoch, revision } = live.record
  const etag = `"${epoch}.${revision}"`
  const tags = (request.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  const next = await renewal(tools, live, live)
  if (tags.includes(etag))
    return notModified([['etag', etag], ...(next.cookie ? [] : cookieHeaders(core, request, next))])
  return forMethod(request, answerFrom(core, request, { ...next, known, etag }))
}

async function postSync(tools: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const { core, commit } = tools
  const body = parseSyncRequest(await request.body())
  const batch = body.batch === undefined ? undefined : { text: body.batch, parsed: parseBatch(body.batch) }
  const loaded = await loadSession(tools, request)
  if (loaded.state !== 'live')
    return syncAnew({ core, request, loaded, body, batch: batch?.parsed, hash: hashOf(core, batch?.text) })
  const live = requireFresh(loaded)
  checkEnvelope(body, live.record)
  if (batch === undefined)
    return answerFrom(core, request, { ...(await renewal(tools, live, live)), known: body })
  const context = { schema: core.schema, hash: hashOf(core, batch.text), now: now(core) }
  const { place, record, result } = await commit(live, (before) => {
    const applied = applyBatch(before, batch.parsed, context)
    return { record: applied.record, result: applied.outcomes }
  })
  const next = await renewal(tools, live, { place, record })
  return answerFrom(core, request, { ...next, known: body, outcomes: result })
}

/** What is answered from: with a new cookie, and perhaps a new id, once half of the fresh time is over. */
async function renewal(
  tools: Tools,
  live: LiveSession,
  present: Moved,
): Promise<Moved & { readonly cookie: LiveSession['cookie'] | undefined }> {
  const next = wantsRenewal(tools.core, live) ? await renewed(tools, live, present) : undefined
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
    throw loaded.state === 'dead' ? toError(loaded) : new SessionError('epoch-mismatch')
  if (body.owner !== null) throw new SessionError('epoch-mismatch')
  if (batch === undefined) return messageAnswer(emptyMessage())
  const context = { schema: core.schema, hash, now: now(core) }
  const { record, outcomes } = applyBatch(createRecord(core, null), batch, context)
  if (isEmpty(record)) return messageAnswer(emptyMessage(outcomes))
  const created = await createFirst(core, createPlace(core.ring, core.crypto), record)
  return answerFrom(core, request, { ...created, outcomes })
}

/** Extends the cookie, with a new session id when one is due. Asks no epoch: it changes nothing that has one. */
async function postRefresh(tools: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const { core, rotate } = tools
  const known = parseSyncRequest(await request.body())
  const loaded = await loadSession(tools, request)
  if (loaded.state === 'none') return messageAnswer(emptyMessage())
  if (loaded.state === 'dead') throw toError(loaded)
  if (!isRotationDue(core, loaded)) return answerFrom(core, request, { ...loaded, known, cookie: undefined })
  const rotated = await rotate(loaded.place)
  if ('state' in rotated) throw new SessionError(rotated.state === 'missing' ? 'lost' : 'ended')
  return answerFrom(core, request, { ...rotated, known })
}

function forMethod({ method }: CoreRequest, full: CoreAnswer): CoreAnswer {
  return method === 'HEAD' ? { ...full, body: '' } : full
}

/** A dead session is told before a stale cookie: there is nothing left to refresh. */
function requireFresh(loaded: LiveSession | DeadSession): LiveSession {
  if (loaded.state === 'dead') throw toError(loaded)
  if (loaded.isStale) throw new SessionError('stale')
  return loaded
}

function toError({ reason }: DeadSession): SessionError {
  return new SessionError(reason)
}

/** A batch written for one session never reaches another. */
function checkEnvelope({ epoch, owner }: SyncRequest, record: SessionRecord): void {
  const isMeant = epoch === null ? record.owner === null : epoch === record.epoch
  if (!isMeant || owner !== record.owner) throw new SessionError('epoch-mismatch')
}

function hashOf(core: Core, text = ''): string {
  return core.crypto.hash(text)
}
