// The session routes: the mirror, the batch, the refresh and the sign-out.
import { SessionError } from '../protocol/errors.ts'
import { type Batch, type SyncRequest, parseBatch, parseSyncRequest } from '../protocol/messages.ts'
import { headers, routesOf } from '../protocol/names.ts'
import type { Outcome } from '../protocol/mutation.ts'
import { type Epoch, isEpoch } from '../protocol/state.ts'
import { applyBatch } from './batch.ts'
import { createRecord, isEmpty } from './change.ts'
import type { Commit } from './commit.ts'
import { type Core, now } from './core.ts'
import { checkType, guard } from './guard.ts'
import { type DeadSession, type LiveSession, type Loaded, loadSession } from './load.ts'
import { type Known, emptyMessage, messageOf, patchOf } from './patch.ts'
import { type Place, type SessionRecord, createPlace } from './record.ts'
import { createAt, endSession } from './relocate.ts'
import { cookieHeaders, wantsRenewal } from './renew.ts'
import type { CoreRequest } from './request.ts'
import { type CoreAnswer, type Header, messageAnswer, notModified, problemAnswer } from './respond.ts'
import { type Rotate, isRotationDue } from './rotate.ts'

export interface Tools {
  readonly core: Core
  readonly commit: Commit
  readonly rotate: Rotate
}

/** What a route answers from. */
interface Present {
  readonly place: Place
  readonly record: SessionRecord
}
interface Answering {
  readonly known?: Known | undefined
  readonly outcomes?: readonly Outcome[]
  /** Undefined when the cookie is set now. */
  readonly cookie?: LiveSession['cookie'] | undefined
  readonly etag?: string
}

type Route = (tools: Tools, request: CoreRequest) => Promise<CoreAnswer>

/** Gives the answer of a session route, or undefined when the path is none. Rejects only where a bug is. */
export function createRoutes(tools: Tools): (request: CoreRequest) => Promise<CoreAnswer | undefined> {
  const { base } = tools.core
  const { mirror, sync, refresh } = routesOf(base)
  // Maps, so that no path or method finds a member of Object.prototype.
  const reading = { GET: getMirror, HEAD: getMirror }
  const routes = new Map<string, ReadonlyMap<string, Route>>([
    [mirror, new Map(Object.entries({ ...reading, DELETE: signOut }))],
    [sync, new Map([['POST', postSync]])],
    [refresh, new Map([['POST', postRefresh]])],
  ])

  return async (request) => {
    const [path = ''] = request.url.split('?')
    if (path !== base && !path.startsWith(`${base}/`)) return undefined
    try {
      const methods = routes.get(path)
      if (methods === undefined) throw new SessionError('not-found')
      const route = methods.get(request.method)
      if (route !== undefined) return await answerRoute(tools, request, route)
      const allow = [...methods.keys()].join(', ')
      return problemAnswer(new SessionError('method-not-allowed'), [['allow', allow]])
    } catch (error) {
      if (error instanceof SessionError) return problemAnswer(error)
      throw error
    }
  }
}

function answerRoute(tools: Tools, request: CoreRequest, route: Route): Promise<CoreAnswer> {
  if (route !== getMirror) {
    guard(tools.core, request)
    checkType(request)
  }
  return route(tools, request)
}

async function getMirror({ core, commit }: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const known = parseKnown(request.url)
  const loaded = await loadSession(core, request, commit)
  if (loaded.state === 'none') return forMethod(request, messageAnswer(emptyMessage()))
  const live = requireFresh(loaded)
  const { epoch, revision } = live.record
  const etag = `"${epoch}.${revision}"`
  const tags = (request.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  const cookie = wantsRenewal(core, live) ? undefined : live.cookie
  if (tags.includes(etag))
    return notModified([['etag', etag], ...(cookie ? [] : cookieHeaders(core, request, live))])
  return forMethod(request, answer(core, request, { ...live, known, cookie, etag }))
}

async function postSync({ core, commit }: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const body = parseSyncRequest(await request.body())
  const batch = body.batch === undefined ? undefined : { text: body.batch, parsed: parseBatch(body.batch) }
  const loaded = await loadSession(core, request, commit)
  if (loaded.state !== 'live')
    return syncAnew({ core, request, loaded, body, batch: batch?.parsed, hash: hashOf(core, batch?.text) })
  const live = requireFresh(loaded)
  checkEnvelope(body, live.record)
  const cookie = wantsRenewal(core, live) ? undefined : live.cookie
  const answering = { known: body, cookie }
  if (batch === undefined) return answer(core, request, { ...live, ...answering })
  const context = { schema: core.schema, hash: hashOf(core, batch.text), now: now(core) }
  const { place, record, result } = await commit(live, (before) => {
    const applied = applyBatch(before, batch.parsed, context)
    return { record: applied.record, result: applied.outcomes }
  })
  return answer(core, request, { place, record, ...answering, outcomes: result })
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
  const created = await createAt(core, createPlace(core.ring, core.crypto), record)
  return answer(core, request, { ...created, outcomes })
}

/** Extends the cookie, with a new session id when one is due. Asks no epoch: it changes nothing that has one. */
async function postRefresh({ core, commit, rotate }: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const known = parseSyncRequest(await request.body())
  const loaded = await loadSession(core, request, commit)
  if (loaded.state === 'none') return messageAnswer(emptyMessage())
  if (loaded.state === 'dead') throw toError(loaded)
  if (!isRotationDue(core, loaded)) return answer(core, request, { ...loaded, known, cookie: undefined })
  const rotated = await rotate(loaded.place)
  if ('state' in rotated) throw new SessionError(rotated.state === 'missing' ? 'lost' : 'ended')
  return answer(core, request, { ...rotated, known })
}

/** Ends the session that the cookie names, if it is the one that the browser means. Repeated: the same answer. */
async function signOut({ core, commit }: Tools, request: CoreRequest): Promise<CoreAnswer> {
  const loaded = await loadSession(core, request, commit)
  const wanted = request.header(headers.epoch)
  if (loaded.state === 'live') {
    if (wanted !== undefined && wanted !== loaded.record.epoch) throw new SessionError('epoch-mismatch')
    await endSession(core, loaded.places[0] ?? loaded.place, 'signed-out')
  } else if (loaded.state === 'dead' && loaded.place !== undefined) {
    // Takes note of a loss: from now on the session is not lost but ended.
    await endSession(core, loaded.place, 'signed-out')
  }
  return messageAnswer(emptyMessage(), [
    ['set-cookie', core.jar.line(request, '')],
    [headers.revision, 'none'],
  ])
}

function answer(core: Core, request: CoreRequest, state: Present & Answering): CoreAnswer {
  const { record, known, cookie, outcomes, etag } = state
  const time = now(core)
  const freshIn = cookie === undefined ? core.times.freshSeconds : Math.max(0, cookie.expires - time)
  const expiresIn = Math.max(0, Math.min(core.times.idleTimeoutSeconds, record.expires - time))
  const message = messageOf(patchOf(record, known, core.schema), { freshIn, expiresIn, outcomes }, core.ring)
  const revision: Header = [headers.revision, `${record.epoch}.${record.revision}`]
  const tag: Header[] = etag === undefined ? [] : [['etag', etag]]
  const renewed = cookie === undefined ? cookieHeaders(core, request, state) : []
  return messageAnswer(message, [...tag, revision, ...renewed])
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

export function toError({ reason }: DeadSession): SessionError {
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

/** `?since=R&epoch=E`; anything else asks for the whole. */
function parseKnown(url: string): Known | undefined {
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  const [since, epoch] = [query.get('since') ?? '', query.get('epoch')]
  return isEpoch(epoch) && /^\d{1,15}$/.test(since)
    ? { since: Number(since), epoch: epoch satisfies Epoch }
    : undefined
}
