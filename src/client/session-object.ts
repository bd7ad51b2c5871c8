// The session as an app holds it, made of its parts. Every member of `Session` is here, and the compiler says so.
import type { Json } from '../protocol/json.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Fetch } from '../mirror/wire/send.ts'
import type { Writes } from './create-writes.ts'
import { type Emitter, type Listener, checkEventName } from './events.ts'
import type { Expiry } from './expiry.ts'
import { readableOf } from './key-checks.ts'
import type { ServerLink } from './server-link.ts'
import type { Session } from './session.ts'
import type { BootCopy } from './boot.ts'
import { disposable } from './disposable.ts'
import { checkListener } from './given-options.ts'
import { endOthers, signOut } from './sign-out.ts'
import type { StatusTracker } from './status.ts'
import type { View } from './view.ts'
import type { WorkerLink } from './worker-link.ts'
import { type ResolvedWorker, isListed } from './worker-options.ts'

/** What a session is made of. */
export interface SessionParts {
  readonly schema: SessionSchema
  /** The base of the session routes. */
  readonly base: string
  /** Milliseconds. */
  readonly now: () => number
  readonly fetch: Fetch
  readonly mirror: TabMirror
  readonly boot: BootCopy
  readonly view: View
  readonly writes: Writes
  readonly server: ServerLink
  readonly tracker: StatusTracker
  readonly expiry: Expiry
  readonly worker: WorkerLink
  /** The worker that the app asked for; undefined for none. */
  readonly wanted: ResolvedWorker | undefined
  /** What ends with the session, in this order. */
  readonly closing: readonly { close(): void }[]
  readonly on: Emitter['on']
  readonly ready: Promise<void>
}

/** A session of any schema. Its methods need no `this`. */
export function toSession(parts: SessionParts): Session<SessionSchema> {
  const { schema, base, now, fetch, mirror, view, writes, server, tracker, expiry, worker, wanted, boot } =
    parts
  const session: Omit<Session<SessionSchema>, typeof Symbol.dispose> = {
    ready: parts.ready,
    known: tracker.known,
    get status() {
      return tracker.status
    },
    get owner() {
      return boot.over(mirror.state).mirror.owner
    },
    get durability() {
      return mirror.durability
    },
    get pending() {
      return mirror.pending.length
    },
    get expiresAt() {
      return expiry.at()
    },
    get: (key: string) => view.get(readableOf(schema, key)),
    set: writes.set,
    delete: writes.remove,
    update: writes.update,
    increment: (key, by = 1) => writes.increment(key, by),
    subscribe(first: string | Listener<readonly string[]>, listener?: Listener<Json | undefined>) {
      if (typeof first === 'function') return view.subscribeAll(first)
      return view.subscribeKey(readableOf(schema, first), checkListener(listener))
    },
    on(name, listener) {
      checkEventName(name)
      return parts.on(name, checkListener(listener))
    },
    async flush() {
      await server.flush()
      return { pending: mirror.pending.length }
    },
    pull: server.pull,
    extend: server.extend,
    fetch(input, init) {
      const request = new Request(input, init)
      return isListed(request.url, base, wanted) ? server.attached(request) : fetch(request)
    },
    signOut: (how = {}) => signOut(mirror, server, how),
    endOthers: () => endOthers(mirror, server.transport),
    async diagnose() {
      const { diagnose } = await import('./doctor/diagnose.ts')
      const { state: workerState } = worker
      return diagnose({ mirror, workerState, silent: server.silentUrls(), base, worker: wanted, now, fetch })
    },
    inspect: () => ({ local: mirror.state, contact: tracker.contact, worker: worker.state }),
    close() {
      for (const part of parts.closing) part.close()
    },
  }
  return disposable(session)
}
