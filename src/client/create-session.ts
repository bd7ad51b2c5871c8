// Opens the session of this page: makes its parts and joins them. Owns nothing itself; each part is told of here once.
import { SessionError } from '../protocol/errors.ts'
import type { MirrorMessage } from '../protocol/messages.ts'
import { type SharedNames, sharedNamesOf } from '../protocol/names.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { databaseStorage } from '../mirror/storage/database-storage.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import type { Storage } from '../mirror/storage/storage.ts'
import { type MirrorOptions, TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { checkBootKeys, createBootCopy } from './boot.ts'
import { type KindsOf, checkGiven } from './given-options.ts'
import { readEmbedded } from './embedded.ts'
import { diskMark } from './disk-mark.ts'
import { createEmitter } from './events.ts'
import { createExpiry } from './expiry.ts'
import { followMirror } from './follow-mirror.ts'
import { createPageLifecycle } from './page-lifecycle.ts'
import { type LiveLink, linkLiveEvents } from './live-link.ts'
import { hushPartErrors } from './load-part.ts'
import { endLeftover, markRun } from './browser-run.ts'
import { connectServer } from './server-link.ts'
import type { Session, SessionOptions } from './session.ts'
import { type SessionParts, toSession } from './session-object.ts'
import { noteOpened } from './one-per-page.ts'
import { untilOpened } from './prerendering.ts'
import { inTime } from './sign-out.ts'
import { StatusTracker } from './status.ts'
import { tabJournal } from './tab-journal.ts'
import { createView } from './view.ts'
import { linkWorker } from './worker-link.ts'
import { isWithoutBrowser, sessionWithoutBrowser } from './without-browser.ts'
import { workerOptions } from './worker-options.ts'
import { createWrites } from './create-writes.ts'

/**
 * Opens the session of this browser, at once and without a network: `ready` resolves when reads show what is kept here.
 * Where there is no browser (no document, no IndexedDB, and neither `fetch` nor `storage` given) it is a session of nobody, which
 * asks, starts and keeps nothing.
 * @throws SessionError `invalid-option` for an option that there is not, one of another kind, a url that ends in "/", and for a
 * `boot` key that the browser does not see
 * @example
 * const session = createSession({ schema, worker: '/session-worker.js' })
 * await session.ready
 * session.set('theme', 'dark')
 */
export function createSession<S extends SessionSchema>(options: SessionOptions<S>): Session<S> {
  checkSessionOptions(options)
  // A session of any schema. Its methods check at run time exactly what the types of S say.
  if (isWithoutBrowser(options)) return sessionWithoutBrowser(options.schema) as unknown as Session<S>
  hushPartErrors()
  const parts = openParts(options)
  // As above.
  return toSession({ ...parts, ready: start(parts) }) as unknown as Session<S>
}

const sessionKinds: KindsOf<SessionOptions<SessionSchema>> = {
  schema: 'object',
  url: 'string',
  worker: 'string object false',
  fetch: 'function',
  boot: 'object',
  migrate: 'function',
  onParked: 'function',
  live: 'boolean',
  warnSeconds: 'number',
  offlineSeconds: 'number',
  keepAlive: 'activity requests',
  storage: 'object',
  now: 'function',
}

interface OpenParts extends Omit<SessionParts, 'ready'> {
  readonly offlineSeconds: number | undefined
  /** What the page carries of its session, where that can be believed. */
  readonly embedded: MirrorMessage | undefined
  /** For a page that is only prerendered: resolves when it is opened. */
  readonly opened: Promise<void> | undefined
  /** Shows the mirror, and nothing else any more. */
  readonly show: () => void
  readonly live: LiveLink
}

function checkSessionOptions<S extends SessionSchema>(options: SessionOptions<S>): void {
  checkGiven('createSession', options, sessionKinds)
  const { schema, url = '/session', boot = [], worker, offlineSeconds = 0 } = options
  if (typeof schema?.keys !== 'object')
    throw new SessionError('invalid-option', 'createSession needs a schema, as defineSession makes it.')
  if (url.endsWith('/'))
    throw new SessionError('invalid-option', `The url of the session routes must not end in "/": ${url}`)
  checkBootKeys(schema, boot)
  if (offlineSeconds < 0)
    throw new SessionError(
      'invalid-option',
      `createSession: offlineSeconds must not be negative: ${offlineSeconds}`,
    )
  workerOptions(worker, baseOf(url))
}

/** Without a page to be relative to (tests in Node) this machine is meant. */
function baseOf(url: string): string {
  return typeof location === 'undefined' ? new URL(url, 'http://localhost').href : url
}

function withDefaults<S extends SessionSchema>(options: SessionOptions<S>) {
  const { schema, url = '/session', now = Date.now, onParked, offlineSeconds } = options
  const { fetch = (request: Request) => globalThis.fetch(request) } = options
  const { warnSeconds = 120, keepAlive = 'requests' } = options
  return { schema, base: baseOf(url), now, fetch, onParked, warnSeconds, offlineSeconds, keepAlive } as const
}

/** The mirror, and what is kept outside of its storage. */
function openMirror(
  storage: Storage | undefined,
  { database, channel }: SharedNames,
  rest: Pick<MirrorOptions, 'now' | 'opened'>,
) {
  const outside = { mark: diskMark(database), journal: tabJournal(database) }
  const mirror = new TabMirror({
    storage: storage ?? databaseStorage(database),
    channel,
    ...rest,
    ...outside,
  })
  return { mirror, ...outside } as const
}

function openParts<S extends SessionSchema>(options: SessionOptions<S>): OpenParts {
  const settings = withDefaults(options)
  const { schema, base, now, fetch } = settings
  const names = sharedNamesOf(base)
  const { database, liveLock: lock } = names
  const opened = untilOpened()
  const kept = openMirror(options.storage, names, { now, opened })
  const { mirror } = kept
  const { emit, on } = createEmitter(mirror.calls)
  const embedded = readEmbedded(base, now())
  const boot = createBootCopy({ name: database, keys: options.boot ?? [], embedded, ...settings })
  const view = createView({ schema, migrate: options.migrate, calls: mirror.calls }, boot.over(mirror.state))
  const show = (): void => {
    boot.end()
    view.update(mirror.state)
  }
  const wanted = workerOptions(options.worker, base)
  const worker = linkWorker({
    options: wanted,
    base,
    syncTag: names.syncTag,
    hasRest: () => mirror.pendingSignOut !== undefined || mirror.pending.length > 0,
    onNewer: () => emit('outdated', {}),
  })
  const lifecycle = createPageLifecycle(mirror, now)
  const tracker = new StatusTracker(mirror, (status) => emit('status', status))
  const onContact = (contact: Contact): void => {
    if (contact !== 'live') worker.leaveRest()
    // What could not be loaded or registered at the start may be there now.
    else for (const step of [lifecycle.recovered, show, live.again, worker.again]) step()
    tracker.note(contact)
  }
  const linked = { ...settings, ...kept, names, opened, emit, onContact, onRetry: lifecycle.later }
  const server = connectServer(linked)
  const { take, pull, extend } = server
  lifecycle.listen(server.sync, () => onContact('none'))
  const writes = createWrites({ schema, mirror, read: view.get, onWrite: lifecycle.soon })
  followMirror({ mirror, boot, view, writes, tracker, emit, take })
  const expiry = createExpiry({ mirror, ...settings, emit, extend, pull })
  const live = linkLiveEvents({ isWanted: options.live, base, lock, mirror, fetch, take, pull })

  const closing = [noteOpened(base), live, worker, expiry, lifecycle, server, mirror, tracker]
  return {
    ...settings,
    mirror,
    view,
    writes,
    server,
    tracker,
    expiry,
    worker,
    wanted,
    closing,
    on,
    boot,
    embedded,
    opened,
    show,
    live,
  }
}

/** Reads storage, so that reads show what this browser knows; then asks the server, which nobody waits for. */
async function start(parts: OpenParts): Promise<void> {
  const { mirror, tracker, opened, embedded } = parts
  await mirror.reload()
  await endLeftover(parts)
  if (opened === undefined) return goOn(parts, await believe(parts, embedded))
  // What the page carries stays shown, as far as it does not contradict the mirror.
  if (embedded === undefined) parts.show()
  tracker.begin()
  void goOnOnceOpened(parts, opened)
}

async function goOnOnceOpened(parts: OpenParts, opened: Promise<void>): Promise<void> {
  await opened
  // The other tabs have told of every change; one that could not is made up for. By now the page may be too old to be believed.
  await parts.mirror.reload()
  goOn(parts, await believe(parts, readEmbedded(parts.base, parts.now())))
}

/** The start is over. `isAnswered`: what the page carries was the answer already; then only what waits is sent. */
function goOn({ mirror, boot, tracker, server, live, worker, opened }: OpenParts, isAnswered: boolean): void {
  boot.keep(mirror)
  tracker.begin()
  // A page that is opened now asks by itself (`page-lifecycle`).
  void (isAnswered || opened !== undefined ? server.flush() : server.pull()).then(live.start)
  void worker.start()
  server.begin()
}

/** Takes what the page carries. Where the mirror is somebody else's, the server is asked before anything is shown of either. */
async function believe(parts: OpenParts, embedded: MirrorMessage | undefined): Promise<boolean> {
  const { mirror, server, tracker, show } = parts
  const how = embedded && (await server.takeEmbedded(embedded))
  if (how === 'doubt') await inTime(server.pull())
  else show()
  if (how !== 'taken') return tracker.contact === 'live'
  markRun(mirror)
  tracker.note('live')
  return true
}
