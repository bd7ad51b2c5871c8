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

export interface SessionOptions<S extends SessionSchema> {
  readonly schema: S
  /** The base of the server's session routes. @default '/session' */
  readonly url?: string
  /** The service worker's script, or `false` for none. @default false */
  readonly worker?: string | WorkerOptions | false
  /** How requests are sent. @default the page's `fetch` */
  readonly fetch?: (request: Request) => Promise<Response>
  /**
   * Keys that can be read at once, before `ready`, from a small copy in localStorage: for the first paint. At most 32 KB
   * together; a session without "remember me" has none. @default none
   */
  readonly boot?: readonly BrowserKey<S>[]
  /**
   * What a mirrored value becomes that this schema's validator refuses: an older page, or an older server, wrote it. What
   * is returned is checked again; undefined, or anything that is refused, shows the key as not set. @default not set
   */
  readonly migrate?: (key: BrowserKey<S>, value: Json) => Json | undefined
  /**
   * Which changes of somebody who left go out when that owner is back; the others are given up, and told with `discarded`.
   * Those that were on their way already are sent again in any case, because nobody knows whether they arrived. Pure: it
   * may run twice. All go out should it throw.
   * @default all of them; the server decides those that depend on a value
   */
  readonly onParked?: (changes: readonly Mutation[]) => readonly Mutation[]
  /** Whether one tab holds the server's event stream, so that changes from elsewhere are seen at once. @default in a browser */
  readonly live?: boolean
  /** Seconds before the end of the session at which `expiring` is told. @default 120 */
  readonly warnSeconds?: number
  /**
   * What keeps the session from ending: `activity` of a person in the page (pointer, keys, coming back), or only
   * `requests` that the app makes anyway. @default 'requests'
   */
  readonly keepAlive?: 'activity' | 'requests'
  /** Where the mirror is kept. @default IndexedDB */
  readonly storage?: Storage
  /** Milliseconds. @default Date.now */
  readonly now?: () => number
}

export interface SignOutOptions {
  /**
   * What becomes of unsent changes: `flush` sends them first, for two seconds at most; `discard` gives them up;
   * `refuse` throws `pending-writes` and stays signed in. @default 'flush'
   */
  readonly pending?: 'flush' | 'discard' | 'refuse'
  /** Ends all sessions of whoever is signed in, on all devices. Offline it is queued, like the sign-out itself. @default false */
  readonly everywhere?: boolean
}

export interface SignedOut {
  readonly server: 'confirmed' | 'queued'
  /**
   * Only when it was asked for. `refused`: this session was over already, so that nobody knows whose others to end, or
   * the server's store keeps no lists. Then sign in again, and ask once more.
   */
  readonly everywhere?: 'done' | 'refused' | 'queued'
}

/** What this browser holds, for inspectors. Holds no cookie: no script can read that. */
export interface MirrorInspection {
  readonly local: LocalState
  readonly contact: Contact
  readonly worker: WorkerState
}

export interface Session<S extends SessionSchema> {
  /** Resolves once reads show what this browser knows. Needs no network. Never rejects. */
  readonly ready: Promise<void>
  readonly status: Status
  /** Who the server says is signed in, or null. */
  readonly owner: string | null
  /** `memory` when IndexedDB cannot be used: unsent changes do not survive this tab then. */
  readonly durability: Durability
  /**
   * When the session ends if nothing is done: by this device's clock, estimated from the server's last answer. Null
   * without a session. `extend` moves it, and so does every request of the app that uses the session.
   */
  readonly expiresAt: Date | null
  /** Keeps the session: for the button of a warning. False when the server could not be reached, or it was over. */
  extend(): Promise<boolean>
  /** Number of changes that the server has not acknowledged. */
  readonly pending: number
  /** The value with this browser's unsent changes on top; frozen. The default, or undefined, when not set. */
  get<N extends BrowserKey<S>>(key: N): KeyRead<S, N>
  /** @throws SessionError `denied`, `unknown-key`, `invalid`, `not-json`, `too-large`, `outbox-full`; nothing is changed then. */
  set<N extends WritableKey<S>>(key: N, value: KeyValue<S, N>): Write
  /** Removes the key. @throws as `set` */
  delete(key: WritableKey<S> | CounterKey<S>): Write
  /** Computes the new value from the newest one; runs again when the server's was newer. Undefined removes. */
  update<N extends WritableKey<S>>(
    key: N,
    change: (value: KeyRead<S, N>) => KeyValue<S, N> | undefined,
  ): Write
  /** Adds to a counter; increments of all browsers add up. @default by 1 */
  increment(key: CounterKey<S>, by?: number): Write
  /** Called with the value whenever it changes, in whichever tab. Returns the way to stop. */
  subscribe<N extends BrowserKey<S>>(key: N, listener: (value: KeyRead<S, N>) => void): () => void
  /** Called with the names of the keys that changed. */
  subscribe(listener: (keys: readonly BrowserKey<S>[]) => void): () => void
  on<N extends EventName>(name: N, listener: Listener<SessionEvents[N]>): () => void
  /** Sends what is pending and asks for news. Resolves with how many changes are still unsent. Never rejects. */
  flush(): Promise<{ readonly pending: number }>
  /** Asks the server for news. Never rejects; `status` says how it went. */
  pull(): Promise<void>
  /** `fetch` with the session attached, for pages that no worker controls and for sign-in routes. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /**
   * Signs out: the mirror is wiped here and in every tab at once, also offline; then the server is told, first
   * of all as soon as it can be reached. `queued` means that it has not answered yet.
   * @throws SessionError `pending-writes` with `pending: 'refuse'`
   */
  signOut(options?: SignOutOptions): Promise<SignedOut>
  /**
   * Ends all other sessions of whoever is signed in: at once, or not at all.
   * @throws SessionError with the server's code; `store-unavailable` when it cannot be reached
   */
  endOthers(): Promise<void>
  /**
   * Looks for the mistakes that people make: worker, CORS, cookie, clock, versions, storage. Errors first, each with what to
   * do; empty when all is well. Loaded when it is asked for. Rejects only where that cannot be loaded.
   * @example for (const { code, message, advice } of await session.diagnose()) console.warn(code, message, advice)
   */
  diagnose(): Promise<readonly Finding[]>
  inspect(): MirrorInspection
  /** Stops timers and listeners. What was written stays and is sent at the next start. */
  close(): void
}
