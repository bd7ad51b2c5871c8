// The session's events: what they are called and what they carry. A listener that throws is reported to the
// page's error handler and stops nobody else.
import type { Json } from '../protocol/json.ts'
import type { Mutation, Outcome } from '../protocol/mutation.ts'
import type { Discarded } from '../mirror/sync/handover.ts'
import type { Exchange } from '../mirror/wire/send.ts'
import { tellError } from '../mirror/sync/tell-error.ts'
import type { AppCalls } from '../mirror/tabs/app-calls.ts'
import type { Durability } from '../mirror/storage/storage.ts'
import { unknownName } from './given-options.ts'
import type { Status } from './status.ts'

/** The events of a session by name, each with what its listeners are given. */
export interface SessionEvents {
  /** `session.status` changed. */
  readonly status: Status
  /** Somebody else has this browser's session now, or nobody (null). Forget what was shown of the previous one. */
  readonly owner: { readonly owner: string | null; readonly previous: string | null }
  /** `session.pending` changed: how many changes the server has not acknowledged. */
  readonly pending: number
  /** `session.expiresAt` changed, by a second or more. */
  readonly expiresAt: Date | null
  /** A write met a newer value of the server's, under a policy that lets the server's stand. */
  readonly conflict: {
    readonly key: string
    readonly mine: Json | undefined
    readonly theirs: Json | undefined
  }
  /** The server refused a write for good: `denied`, `invalid` or `too-large`. */
  readonly refused: { readonly mutation: Mutation; readonly outcome: Outcome }
  /** The session ends soon, by this device's estimate: `extend` keeps it. Told once for each answer of the server. */
  readonly expiring: { readonly secondsLeft: number }
  /** Unsent changes of an owner who left are kept, encrypted, until that owner is back. */
  readonly parked: { readonly count: number }
  /** Changes that came back with their owner and are given up, and why. Told in the tab that found out. */
  readonly discarded: Discarded
  /** Where writes are kept changed: `memory` means that they do not survive this tab. */
  readonly durability: Durability
  /**
   * Newer code of this library has been here, in another tab or an earlier visit: this page works on in memory, and
   * should be loaded again when that disturbs nobody.
   */
  readonly outdated: Readonly<Record<never, never>>
  /** One request to a session route: for inspectors. */
  readonly exchange: Exchange
}

/** The names of the events. */
export type EventName = keyof SessionEvents
/** A function that is called with each new value. What it throws goes to the page's error handler. */
export type Listener<T> = (value: T) => void

const eventNames: Readonly<Record<EventName, 1>> = {
  status: 1,
  owner: 1,
  pending: 1,
  expiresAt: 1,
  conflict: 1,
  refused: 1,
  expiring: 1,
  parked: 1,
  discarded: 1,
  durability: 1,
  outdated: 1,
  exchange: 1,
}

/** @throws SessionError `invalid-option` for a name that is no event's */
export function checkEventName(name: string): void {
  if (!Object.hasOwn(eventNames, name)) throw unknownName('session.on has no event', name, eventNames)
}

/** Listeners by name, each with its own kind of value. */
export interface Emitter<Values = SessionEvents> {
  /** Returns the way to stop. */
  on<N extends keyof Values>(name: N, listener: Listener<Values[N]>): () => void
  emit<N extends keyof Values>(name: N, value: Values[N]): void
}

/** @param calls when the listeners are called */
export function createEmitter<Values = SessionEvents>(calls: AppCalls): Emitter<Values> {
  const listeners = new Map<keyof Values, Set<Listener<never>>>()
  return {
    on(name, listener) {
      const own = listeners.get(name) ?? new Set()
      listeners.set(name, own.add(listener))
      return () => void own.delete(listener)
    },
    emit(name, value) {
      const own = listeners.get(name)
      for (const listener of own ?? [])
        // Of the set of this very name. Who has stopped meanwhile is not called.
        calls.run(() => own?.has(listener) && callSafely(listener, value as never))
    },
  }
}

/** Calls an app's listener: what it throws is the app's to see, and must not break the session. */
function callSafely<T>(listener: Listener<T>, value: T): void {
  try {
    listener(value)
  } catch (error) {
    tellError(error)
  }
}
