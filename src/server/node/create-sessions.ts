// `createSessions` with Node's cryptography: what the door gives. The core itself takes any.
import { AsyncLocalStorage } from 'node:async_hooks'
import cluster from 'node:cluster'
import { channel } from 'node:diagnostics_channel'
import { checkOptions } from '../../protocol/check-options.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { KeepContext } from '../core/core.ts'
import { type WatchChannels, watchedNames } from '../core/watch.ts'
import { nodeCrypto } from './node-crypto.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import { createCoreSessions } from '../app/create-core-sessions.ts'
import type { Sessions } from '../app/sessions.ts'
import { coreOptions } from '../app/known-options.ts'
import type { CoreOptions } from '../app/core-options.ts'

/** The options of `createSessions`. `schema`, `secrets` and `store` are needed; all others have defaults. */
export interface SessionsOptions<S extends SessionSchema> extends Omit<CoreOptions<S>, 'crypto'> {
  /** @default Node's */
  readonly crypto?: ServerCrypto
}

/** The AsyncLocalStorages of now: those of the request that calls. */
const nodeKeepContext: KeepContext = (run) => {
  const within = AsyncLocalStorage.snapshot()
  return (...parameters) => within(() => run(...parameters))
}

/** The watched events, as channels of `node:diagnostics_channel`. */
const nodeChannels = Object.fromEntries(
  watchedNames.map((name) => [name, channel(`session-mirror:${name}`)]),
) as unknown as WatchChannels // All of them.

/**
 * The sessions of an app.
 * @throws SessionError `weak-secret`, `invalid-option`
 * @example const sessions = createSessions({ schema, secrets: [secret], store: memoryStore() })
 */
export function createSessions<const S extends SessionSchema>(options: SessionsOptions<S>): Sessions<S> {
  // Before they are spread: a text would become an object of letters.
  checkOptions('createSessions', options, coreOptions)
  const { crypto = nodeCrypto, channels = nodeChannels } = options
  const { keepContext = nodeKeepContext } = options
  const sessions = createCoreSessions({ ...options, crypto, channels, keepContext })
  warnOf(options.store)
  warnOfProcess(options.store)
  return sessions
}

const lossOfChanges = 'of two requests that change a session at once it loses changes of one'
const losses = {
  final: undefined,
  kept: 'a copy of a cookie works after a sign-out once the store forgets it',
  none: 'a copy of a cookie works after a sign-out',
} as const

/** What a store does not promise is said at the start, not found out later. */
function warnOf({
  name,
  guarantees: { compareAndSwap, revocation },
}: SessionsOptions<SessionSchema>['store']): void {
  const lost = [compareAndSwap === 'none' ? lossOfChanges : undefined, losses[revocation]]
  const text = lost.filter((loss) => loss !== undefined).join('; ')
  if (text === '') return
  process.emitWarning(`The store "${name}" keeps sessions in the cookie: ${text}. See docs/stores.md.`, {
    type: 'SessionMirrorWarning',
    code: 'SESSION_MIRROR_STORE',
  })
}

/** Each sentence once for each process, however many sessions it has. */
const warned = new Set<string>()

/** A store for one process is said to be one where there may be several, or where a restart signs everybody out. */
function warnOfProcess({
  name,
  guarantees: { compareAndSwap, durability },
}: SessionsOptions<SessionSchema>['store']): void {
  if (compareAndSwap !== 'this-process') return
  if (cluster.isWorker)
    warnOnce(
      `The store "${name}" is for one process, and this is one of several of a cluster: a request that comes to another one finds no session, or loses changes.`,
    )
  else if (process.env['NODE_ENV'] === 'production' && durability === 'volatile' && name === 'memory')
    warnOnce(
      'The memory store is used in production (NODE_ENV): a restart signs everybody out, and a second process knows none of the sessions.',
    )
}

function warnOnce(sentence: string): void {
  if (warned.has(sentence)) return
  warned.add(sentence)
  process.emitWarning(`${sentence} Use a store that processes share, see docs/stores.md.`, {
    type: 'SessionMirrorWarning',
    code: 'SESSION_MIRROR_ONE_PROCESS',
  })
}
