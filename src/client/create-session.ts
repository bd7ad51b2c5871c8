// Opens the session of this page: makes its parts and joins them. Owns nothing itself; each part is told of here once.
import { SessionError } from '../protocol/errors.ts'
import { sharedNamesOf } from '../protocol/names.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import { databaseStorage } from '../mirror/storage/database-storage.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { type BootCopy, checkBootKeys, createBootCopy } from './boot.ts'
import { createEmitter } from './events.ts'
import { createExpiry } from './expiry.ts'
import { followMirror } from './follow-mirror.ts'
import { createPageLifecycle } from './page-lifecycle.ts'
import { type LiveLink, linkLiveEvents } from './live-link.ts'
import { endLeftover } from './browser-run.ts'
import { connectServer } from './server-link.ts'
import type { Session, SessionOptions } from './session.ts'
import { type SessionParts, toSession } from './session-object.ts'
import { StatusTracker } from './status.ts'
import { tabJournal } from './tab-journal.ts'
import { createView } from './view.ts'
import { linkWorker } from './worker-link.ts'
import { workerOptions } from './worker-options.ts'
import { createWrites } from './create-writes.ts'

/**
 * Opens the session of this browser, at once and without a network: `ready` resolves when reads show what is kept here.
 * @throws SessionError `invalid-option` for a url that ends in "/", and for a `boot` key that the browser does not see
 * @example
 * const session = createSession({ schema, worker: '/session-worker.js' })
 * await session.ready
 * session.set('theme', 'dark')
 */
export function createSession<S extends SessionSchema>(options: SessionOptions<S>): Session<S> {
  const parts = openParts(options)
  // A whole session, of any schema. Its methods check at run time exactly what the types of S say.
  return toSession({ ...parts, ready: start(parts) }) as unknown as Session<S>
}

interface OpenParts extends Omit<SessionParts, 'ready'> {
  readonly boot: BootCopy
  readonly live: LiveLink
}

function openParts<S extends SessionSchema>(options: SessionOptions<S>): OpenParts {
  const { schema, url: base = '/session', now = Date.now, onParked } = options
  const { fetch = (request: Request) => globalThis.fetch(request) } = options
  const { warnSeconds = 120, keepAlive = 'requests' } = options
  if (base.endsWith('/'))
    throw new SessionError('invalid-option', `The url of the session routes must not end in "/": ${base}`)
  const names = sharedNamesOf(base)
  const { database, channel } = names
  const { emit, on } = createEmitter()
  const storage = options.storage ?? databaseStorage(database)
  const mirror = new TabMirror({ storage, channel, now, journal: tabJournal(database) })
  const boot = createBootCopy(database, checkBootKeys(schema, options.boot ?? []))
  const view = createView({ schema, migrate: options.migrate }, boot.over(mirror.state))
  const wanted = workerOptions(options.worker)
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
    if (contact === 'live') lifecycle.recovered()
    else worker.leaveRest()
    tracker.note(contact)
  }
  const { later } = lifecycle
  const server = connectServer({ base, names, mirror, now, fetch, onParked, emit, onContact, onRetry: later })
  const { take, pull, extend } = server
  lifecycle.listen(server.sync, () => onContact('none'))
  const writes = createWrites({ schema, mirror, read: view.get, onWrite: lifecycle.soon })
  followMirror({ mirror, boot, view, writes, tracker, emit, take })
  const expiry = createExpiry({ mirror, now, warnSeconds, keepAlive, emit, extend, pull })
  const { liveLock: lock } = names
  const live = linkLiveEvents({ isWanted: options.live, base, lock, mirror, fetch, take, pull })

  const closing = [live, worker, expiry, lifecycle, mirror]
  return {
    schema,
    base,
    now,
    fetch,
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
    live,
  }
}

/** Reads storage, so that reads show what this browser knows; then asks the server, which nobody waits for. */
async function start(parts: OpenParts): Promise<void> {
  const { mirror, boot, view, tracker } = parts
  await mirror.reload()
  boot.end()
  view.update(mirror.state)
  await endLeftover(mirror, parts.now)
  boot.keep(mirror)
  tracker.begin()
  void parts.server.pull().then(parts.live.start)
  void parts.worker.start()
}
