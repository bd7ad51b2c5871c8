// Opens a session: puts mirror, sync, refresh, view, writes and events together, and owns nothing but that.
import { SessionError } from '../protocol/errors.ts'
import type { Json } from '../protocol/json.ts'
import { routesOf, sharedNamesOf } from '../protocol/names.ts'
import { type SessionSchema, definitionOf } from '../protocol/schema.ts'
import { attachedFetch, createSilent } from '../mirror/sync/attached-fetch.ts'
import type { Hint } from '../mirror/tabs/channel.ts'
import { databaseStorage } from '../mirror/storage/database-storage.ts'
import { knownBy } from '../mirror/sync/known-session.ts'
import { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import { createRefresh } from '../mirror/sync/refresh.ts'
import { absolute } from '../mirror/wire/send.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import { askForNews, createSync, sendOnly, wantedAfter } from '../mirror/sync/sync.ts'
import { createTransport } from '../mirror/wire/transport.ts'
import { announce } from './announce.ts'
import { checkBootKeys, createBootCopy, withMirror } from './boot.ts'
import { type Listener, createEmitter } from './events.ts'
import { createExpiry } from './expiry.ts'
import { tabJournal } from './journal.ts'
import { createLifecycle } from './lifecycle.ts'
import type { Live } from './live.ts'
import { endLeftover, markRun } from './run.ts'
import type { Session, SessionOptions, SignOutOptions } from './session.ts'
import { endOthers, signOut } from './signout.ts'
import { type Status, isSameStatus, statusOf } from './status.ts'
import { createView } from './view.ts'
import { linkWorker } from './worker-link.ts'
import { isListed, workerOptions } from './worker-options.ts'
import { createWrites } from './writes.ts'

/**
 * Opens the session of this browser.
 * @throws SessionError `invalid-option` for a url that cannot be one
 * @example
 * const session = createSession({ schema, worker: '/session-worker.js' })
 * await session.ready
 * session.set('theme', 'dark')
 */
export function createSession<S extends SessionSchema>(options: SessionOptions<S>): Session<S> {
  const { schema, url: base = '/session', now = Date.now } = options
  if (base.endsWith('/'))
    throw new SessionError('invalid-option', 'The url of the session routes must not end in "/".')
  const names = sharedNamesOf(base)
  const emitter = createEmitter()
  const fetch = options.fetch ?? ((request: Request) => globalThis.fetch(request))
  const storage = options.storage ?? databaseStorage(names.database)
  const mirror = new TabMirror({ storage, channel: names.channel, now, journal: tabJournal(names.database) })
  const boot = createBootCopy(names.database, checkBootKeys(schema, options.boot ?? []))
  let copy = boot.read()
  const view = createView({ schema, migrate: options.migrate }, withMirror(mirror.state, copy))
  const transport = createTransport(base, {
    fetch,
    onExchange: (exchange) => emitter.emit('exchange', exchange),
  })
  const known = knownBy(mirror)
  const refresh = createRefresh({ known, request: transport.refresh, lock: names.refreshLock, now })
  const sync = createSync({
    mirror,
    transport,
    refresh,
    lock: names.syncLock,
    now,
    onParked: options.onParked,
    onDiscarded: (discarded) => emitter.emit('discarded', discarded),
    onContact: setContact,
    onRetry: (milliseconds) => lifecycle.later(milliseconds),
  })
  const lifecycle = createLifecycle({ mirror, sync, now, onRestored: () => setContact('none') })
  const writes = createWrites({ schema, mirror, read: view.get, onWrite: lifecycle.soon })
  const pull = async (): Promise<void> => void (await sync.run(askForNews))
  const take = (hint: Hint): Promise<Contact> => sync.run(() => wantedAfter(hint, mirror.document))
  const flush = (): Promise<Contact> => sync.run(sendOnly)
  const silent = createSilent()
  const attached = attachedFetch(
    {
      known,
      refresh,
      now,
      onLeaving: flush,
      onOther: take,
      onNewer: (hint) => void take(hint),
      onSilent: silent.note,
    },
    fetch,
  )

  let contact: Contact = 'none'
  let isReady = false
  let status: Status = { state: 'starting' }
  const wantedWorker = workerOptions(options.worker)
  const worker = linkWorker({
    options: wantedWorker,
    base,
    syncTag: names.syncTag,
    hasRest: () => mirror.pendingSignOut !== undefined || mirror.pending.length > 0,
    onNewer: () => emitter.emit('outdated', {}),
  })

  function setContact(next: Contact): void {
    contact = next
    if (next === 'live') lifecycle.recovered()
    else worker.leaveRest()
    tellStatus()
  }

  function tellStatus(): void {
    const next = statusOf(mirror.state, isReady, contact)
    if (isSameStatus(next, status)) return
    status = next
    emitter.emit('status', status)
  }

  mirror.onChange((after, before) => {
    // Not before the start has looked for what an earlier run left.
    if (isReady) markRun(mirror)
    if (isReady) boot.keep(mirror)
    view.update(withMirror(after, copy))
    // A subscriber may have written meanwhile: what is pending is what is pending now.
    writes.follow(mirror.state, before)
    if (isReady) announce(emitter, after, before)
    // Another tab's contact with the server brought this one up to date, too.
    if (
      after.mirror !== before.mirror &&
      isReady &&
      contact !== 'live' &&
      after.mirror.notedAt > before.mirror.notedAt
    )
      contact = 'live'
    tellStatus()
  })
  mirror.onHint((hint) => void take(hint))
  mirror.onDurability(({ durability, isOutdated }, next) => {
    writes.leaveOnDisk(next)
    emitter.emit('durability', durability)
    if (isOutdated) emitter.emit('outdated', {})
  })

  async function extend(): Promise<boolean> {
    const { kind } = await refresh.after(now())
    if (kind === 'over') await pull()
    return kind === 'fresh'
  }
  const expiry = createExpiry({
    mirror,
    now,
    warnSeconds: options.warnSeconds ?? 120,
    keepAlive: options.keepAlive ?? 'requests',
    onExpiring: (secondsLeft) => emitter.emit('expiring', { secondsLeft }),
    extend,
    ask: pull,
  })
  let live: Live | undefined
  let isClosed = false

  async function start(): Promise<void> {
    await mirror.reload()
    copy = undefined
    view.update(mirror.state)
    await endLeftover(mirror, now)
    isReady = true
    boot.keep(mirror)
    tellStatus()
    void pull().then(startLive)
    void worker.start()
  }
  const ready = start()

  /** Loaded when the page has its session: it is for later, and costs nothing where it is not wanted. */
  async function startLive(): Promise<void> {
    if (!(options.live ?? typeof document !== 'undefined')) return
    const { createLive } = await import('./live.ts')
    if (isClosed) return
    live = createLive({
      mirror,
      url: routesOf(absolute(base)).events,
      fetch,
      lock: names.liveLock,
      onNews: (hint) => void take(hint),
      onDoubt: pull,
    })
  }

  const untyped = {
    ready,
    get status() {
      return status
    },
    get owner() {
      return mirror.owner
    },
    get durability() {
      return mirror.durability
    },
    get pending() {
      return mirror.pending.length
    },
    get(key: string) {
      const definition = definitionOf(schema, key)
      if (definition === undefined) throw new SessionError('unknown-key', `The schema has no key "${key}".`)
      if (definition.access === 'hidden')
        throw new SessionError('denied', `"${key}" is hidden: it stays on the server.`)
      return view.get(key)
    },
    set: writes.set,
    delete: writes.remove,
    update: writes.update,
    increment: (key: string, by = 1) => writes.increment(key, by),
    subscribe(first: string | Listener<readonly string[]>, listener?: Listener<Json | undefined>) {
      if (typeof first === 'function') return view.subscribeAll(first)
      return listener === undefined ? () => undefined : view.subscribeKey(first, listener)
    },
    on: emitter.on,
    async flush() {
      await flush()
      return { pending: mirror.pending.length }
    },
    pull,
    fetch(input: RequestInfo | URL, init?: RequestInit) {
      const request = new Request(input, init)
      return isListed(request.url, base, options.worker) ? attached(request) : fetch(request)
    },
    signOut: (how: SignOutOptions = {}) => signOut(mirror, sync, how),
    endOthers: () => endOthers(mirror, transport),
    get expiresAt() {
      const left = expiry.left()
      return left === null ? null : new Date(now() + left)
    },
    extend,
    async diagnose() {
      const { diagnose } = await import('./doctor/diagnose.ts')
      const told = { mirror, workerState: worker.state, silent: silent.urls() }
      return diagnose({ ...told, base, worker: wantedWorker, now, fetch })
    },
    inspect: () => ({ local: mirror.state, contact, worker: worker.state }),
    close() {
      live?.close()
      worker.close()
      isClosed = true
      expiry.close()
      lifecycle.close()
      mirror.close()
    },
  }
  // The schema's types describe exactly what the methods above check at run time.
  return untyped as unknown as Session<S>
}
