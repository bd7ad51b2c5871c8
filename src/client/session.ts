/// <reference lib="esnext.disposable" preserve="true" />
// The session as an app holds it: the browser SDK's public types, and what each call promises.
import type {
  BrowserKey,
  CounterKey,
  KeyRead,
  KeyValue,
  SessionSchema,
  WritableKey,
} from '../protocol/schema.ts'
import type { Json } from '../protocol/json.ts'
import type { Mutation } from '../protocol/mutation.ts'
import type { LocalState } from '../mirror/steps/local-state.ts'
import type { Durability, Storage } from '../mirror/storage/storage.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import type { Finding } from './doctor/findings.ts'
import type { EventName, Listener, SessionEvents } from './events.ts'
import type { WorkerOptions, WorkerState } from './worker-options.ts'
import type { Status } from './status.ts'
import type { Write } from './pending-writes.ts'

/** The options of `createSession`. Only `schema` is needed. */
export interface SessionOptions<S extends SessionSchema> {
  /** From `defineSession`. The server has the same. */
  readonly schema: S
  /** The base of the server's session routes. @default '/session' */
  readonly url?: string
  /** The service worker's script, or `false` for none. @default false */
  readonly worker?: string | WorkerOptions | false
  /** Sends requests. @default the page's `fetch` */
  readonly fetch?: (request: Request) => Promise<Response>
  /**
   * Keys that can be read at once, before `ready`, for the first paint. They come from a small copy in localStorage of at
   * most 32 KB; a session without "remember me" has none. @default none
   */
  readonly boot?: readonly BrowserKey<S>[]
  /**
   * Makes a new value of a mirrored value that this schema's validator refuses, because an older page or server wrote it.
   * The result is checked again. With undefined, or a result that is refused, the key is shown as not set. @default not set
   */
  readonly migrate?: (key: BrowserKey<S>, value: Json) => Json | undefined
  /**
   * Chooses which parked changes are sent when their owner is back. The others are given up, and reported by `discarded`.
   * Changes that were on their way already are sent again in any case, because nobody knows whether they arrived. Must be
   * pure: it may run twice. When it throws, all are sent.
   * @default all of them; the server decides those that depend on a value
   */
  readonly onParked?: (changes: readonly Mutation[]) => readonly Mutation[]
  /** Whether one tab holds the server's event stream, so that changes from elsewhere are seen at once. @default true in a browser */
  readonly live?: boolean
  /** How many seconds before its end the session reports `expiring`. @default 120 */
  readonly warnSeconds?: number
  /**
   * For how many seconds after `expiresAt` what is kept is still shown when the server cannot be reached. After that it is wiped, unread,
   * and `status` says `expired`; what is unsent is kept for its owner, encrypted. Infinity: for ever.
   * @default as long again as the session would have lived unused (15 minutes for one of AAL3, an hour for AAL2)
   */
  readonly offlineSeconds?: number
  /**
   * What keeps the session alive. `activity`: a person who uses the page (pointer, keys, coming back to it). `requests`:
   * only what the app sends anyway. @default 'requests'
   */
  readonly keepAlive?: 'activity' | 'requests'
  /** Where the mirror is kept. @default IndexedDB */
  readonly storage?: Storage
  /** The time in milliseconds since 1970. @default Date.now */
  readonly now?: () => number
}

/** The options of `signOut`. */
export interface SignOutOptions {
  /**
   * What becomes of unsent changes: `flush` sends them first, for two seconds at most; `discard` gives them up;
   * `refuse` throws `pending-writes` and stays signed in. @default 'flush'
   */
  readonly pending?: 'flush' | 'discard' | 'refuse'
  /** Ends all sessions of the signed-in owner, on all devices. Offline it is queued, like the sign-out itself. @default false */
  readonly everywhere?: boolean
}

/** What became of a sign-out. In the browser it is done in any case. */
export interface SignedOut {
  /** `confirmed`: the server has ended the session. `queued`: it will be told first of all as soon as it can be reached. */
  readonly server: 'confirmed' | 'queued'
  /**
   * `clean`: nothing of the session is kept in this browser. `owed`: its storage can neither be written nor deleted just now (a full
   * disk, a database that does not answer); this is remembered, and the next start removes it before it shows anything.
   */
  readonly device: 'clean' | 'owed'
  /**
   * What became of `everywhere`; not there without it. `refused`: this session was over already, so its owner is unknown,
   * or the server's store keeps no lists. Sign in again, and ask once more.
   */
  readonly everywhere?: 'done' | 'refused' | 'queued'
}

/** What this browser holds, for inspectors. Holds no cookie: no script can read that. */
export interface MirrorInspection {
  /** The mirror, the outbox and what is parked, as this tab knows them. */
  readonly local: LocalState
  /** How the last contact with the server went. */
  readonly contact: Contact
  /** How it stands with the service worker. */
  readonly worker: WorkerState
}

/**
 * The session of this browser. Reads are synchronous and need no network. Writes are shown at once in every tab, and sent
 * when the server can be reached.
 */
export interface Session<S extends SessionSchema> extends Disposable {
  /** Resolves once reads show what this browser knows. Needs no network. Never rejects. */
  readonly ready: Promise<void>
  /**
   * Resolves once it is known who is here: the server has said it, to this tab or to another one, or it is certain that the server
   * cannot be reached; `status` says which. For guards of routes: after `ready` alone somebody who is signed in may still
   * look like nobody. A server that does not answer is waited for 10 seconds; a prerendered page asks when it is opened. Never rejects.
   * @example await session.known; if (session.owner === null) redirect('/sign-in')
   */
  readonly known: Promise<void>
  /** How the session stands: live, stale and why, signed out and why, or lost and what. The event `status` reports changes. */
  readonly status: Status
  /** The owner who is signed in, by the server's last word; null for an anonymous session, and without one. */
  readonly owner: string | null
  /** `disk`, or `memory` when IndexedDB cannot be used: then unsent changes do not survive this tab. */
  readonly durability: Durability
  /**
   * When the session ends if nothing is done, by this device's clock; null without a session. An estimate from the
   * server's last answer. `extend` moves it, and so does every request of the app that uses the session. One and the same
   * Date until it changes by a second or more, which the event `expiresAt` tells.
   */
  readonly expiresAt: Date | null
  /** Refreshes the session now: for the button of a warning. False when the server could not be reached, or the session was over. */
  extend(): Promise<boolean>
  /** Number of changes that the server has not acknowledged. The event `pending` reports changes. */
  readonly pending: number
  /** The value, with this browser's unsent changes on top; frozen. When not set: the schema's default, or undefined. */
  get<N extends BrowserKey<S>>(key: N): KeyRead<S, N>
  /**
   * Gives a key a new value.
   * @throws SessionError `denied`, `unknown-key`, `invalid`, `not-json`, `too-large`, `outbox-full`; nothing is changed then
   * @example session.set('theme', 'dark')
   */
  set<N extends WritableKey<S>>(key: N, value: KeyValue<S, N>): Write
  /** Removes a key; reads give its default then. @throws SessionError `denied`, `unknown-key`, `outbox-full` */
  delete(key: WritableKey<S> | CounterKey<S>): Write
  /**
   * Computes the new value from the newest one. Runs again when the server had a newer value. Undefined removes the key.
   * @throws as `set`, and what `change` throws at its first run
   * @example session.update('notes', (notes = []) => [...notes, note])
   */
  update<N extends WritableKey<S>>(
    key: N,
    change: (value: KeyRead<S, N>) => KeyValue<S, N> | undefined,
  ): Write
  /**
   * Adds to a counter; increments of all browsers add up.
   * @param by a whole number, negative to subtract. @default 1
   * @throws SessionError `denied`, `unknown-key`, `invalid`, `outbox-full`
   */
  increment(key: CounterKey<S>, by?: number): Write
  /**
   * Calls `listener` with the value whenever it changes, in whichever tab. Returns the function that ends this.
   * @throws SessionError `unknown-key`, `denied` for a hidden key; `invalid-option` without a listener
   */
  subscribe<N extends BrowserKey<S>>(key: N, listener: (value: KeyRead<S, N>) => void): () => void
  /** Calls `listener` with the names of the keys that changed. */
  subscribe(listener: (keys: readonly BrowserKey<S>[]) => void): () => void
  /**
   * Calls `listener` with each event of this name. Returns the function that ends this.
   * @throws SessionError `invalid-option` for a name that no event has, and without a listener
   * @example session.on('refused', ({ mutation, outcome }) => console.warn(mutation.key, outcome.code))
   */
  on<N extends EventName>(name: N, listener: Listener<SessionEvents[N]>): () => void
  /** Sends what is pending and asks for news. Resolves with how many changes are still unsent. Never rejects. */
  flush(): Promise<{ readonly pending: number }>
  /** Asks the server for news. Never rejects; `status` says how it went. */
  pull(): Promise<void>
  /**
   * `fetch` with the session attached, for sign-in routes and for pages without a worker: refreshes the cookie before,
   * repeats a request that found it stale, and takes note of what the answer says about the session. Rejects as `fetch`.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /**
   * Signs out: the mirror is wiped here and in every tab at once, also offline; then the server is told, first
   * of all as soon as it can be reached. `queued` means that it has not answered yet.
   * @throws SessionError `pending-writes` with `pending: 'refuse'`; `invalid-option` for options that it does not have
   */
  signOut(options?: SignOutOptions): Promise<SignedOut>
  /**
   * Ends all other sessions of the signed-in owner: at once, or not at all.
   * @throws SessionError with the server's code; `store-unavailable` when it cannot be reached
   */
  endOthers(): Promise<void>
  /**
   * Looks for mistakes in the set-up: worker, CORS, cookie, clock, versions, storage. Errors come first, each with what to
   * do; the list is empty when all is well. Its code is loaded when it is called. Rejects only when that cannot be loaded.
   * @example for (const { code, message, advice } of await session.diagnose()) console.warn(code, message, advice)
   */
  diagnose(): Promise<readonly Finding[]>
  /** What this browser holds, for inspectors. A snapshot: call it again for news. */
  inspect(): MirrorInspection
  /**
   * Ends this session object, not the session: no timer, listener, request or event stream of it is left. What was written stays,
   * and is sent at the next start. Repeated: does nothing. `Symbol.dispose` is the same.
   * @example import.meta.hot?.dispose(() => session.close())
   */
  close(): void
}
