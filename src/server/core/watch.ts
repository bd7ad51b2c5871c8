// What the server tells those who watch it: counts, durations and codes. Never a session id, a cookie or a value. It costs
// nothing while nobody listens.
import type { SessionErrorCode } from '../../protocol/errors.ts'
import type { Store } from '../../stores/store.ts'
import { type StoreOperation, wrapStore } from '../../stores/wrapped-store.ts'
import type { EndReason } from '../codec/record.ts'

/** The events by name. Each is published as `session-mirror:<name>`, with the name of the app as `app`. */
export interface WatchedEvents {
  /** The session of a request was loaded, or was found missing. */
  readonly load: {
    readonly state: 'none' | 'live' | 'stale' | 'expired' | 'ended' | 'lost' | 'reuse' | 'ambiguous-cookie'
    readonly milliseconds: number
  }
  /** Changes were stored: those of `writers` requests together, after `attempts` tries. */
  readonly commit: { readonly writers: number; readonly attempts: number; readonly milliseconds: number }
  /** Somebody else was quicker; it is tried again. */
  readonly conflict: { readonly operation: 'commit' | 'move' | 'owner' }
  /** A request was refused; `unsigned-cookie`: it went on without the cookie that this server did not sign. */
  readonly refuse: { readonly code: SessionErrorCode | 'unsigned-cookie' }
  /** A session got another id. */
  readonly rotate: { readonly milliseconds: number }
  /** A rotated id was used after its grace: somebody has a copy of the cookie. The session was ended. */
  readonly reuse: { readonly epoch: string | null; readonly owner: string | null }
  /** A session was ended. */
  readonly revoke: {
    readonly reason: Exclude<EndReason, 'replaced' | 'reuse'>
    readonly milliseconds: number
  }
  /** The store did not answer. */
  readonly unavailable: { readonly operation: StoreOperation; readonly milliseconds: number }
  /** A cookie names a session that the store does not have, or has as something that this server did not write. */
  readonly lost: { readonly cause: 'missing' | 'corrupt' | 'outdated' | 'unknown-secret' }
}
/** The names of the events: the channel is called `session-mirror:` and the name. */
export type WatchedName = keyof WatchedEvents

/** The part of a channel of `node:diagnostics_channel` that is used. */
export interface WatchChannel {
  /** Whether anybody listens. Nothing is published, or measured, while it is false. */
  readonly hasSubscribers: boolean
  /** Tells the listeners. Must not throw. */
  publish(message: unknown): void
}

/** A channel for each event. */
export type WatchChannels = Readonly<Record<WatchedName, WatchChannel>>

/** Tells those who watch. */
export interface Watch {
  /** Whether anybody listens. Ask before working out what costs something. */
  isOn(name: WatchedName): boolean
  /** Publishes an event, if anybody listens. */
  tell<N extends WatchedName>(name: N, message: WatchedEvents[N]): void
}

export const watchedNames: readonly WatchedName[] = [
  'load',
  'commit',
  'conflict',
  'refuse',
  'rotate',
  'reuse',
  'revoke',
  'unavailable',
  'lost',
]

export function createWatch(channels: WatchChannels | undefined, app: string): Watch {
  return {
    isOn: (name) => channels?.[name].hasSubscribers === true,
    tell(name, message) {
      if (channels?.[name].hasSubscribers === true) channels[name].publish({ app, ...message })
    },
  }
}

/** Milliseconds since `started`, a time that `performance.now()` gave. */
export function millisecondsSince(started: number): number {
  return performance.now() - started
}

/** The store, which now tells `unavailable` whenever it did not answer. */
export function watchedStore(store: Store, watch: Watch): Store {
  async function measured<T extends { readonly kind: string }>(
    operation: StoreOperation,
    asked: Promise<T>,
  ): Promise<T> {
    const started = performance.now()
    const answer = await asked
    if (answer.kind === 'unavailable')
      watch.tell('unavailable', { operation, milliseconds: millisecondsSince(started) })
    return answer
  }

  // One more promise for each trip is a tenth of what a read costs, so there is none while nobody listens.
  return wrapStore(store, ({ operation }, run) =>
    watch.isOn('unavailable') ? measured(operation, run()) : run(),
  )
}
