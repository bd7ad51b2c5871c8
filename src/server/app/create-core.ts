// Makes the core from the options of `createSessions`, which are checked once and at the start, so that a wrong one never
// meets a user.
import { type Clock, systemClock } from '../../protocol/clock.ts'
import * as limits from '../../protocol/limits.ts'
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import type { CarriedStore, Store } from '../../stores/store.ts'
import type { ServerCrypto } from '../codec/crypto.ts'
import { createKeyRing } from '../codec/key-ring.ts'
import { createFindPlace } from '../codec/record.ts'
import { timesOf } from '../core/assurance.ts'
import { carriedClients } from '../core/carry.ts'
import { createCookieJar } from '../core/cookie-jar.ts'
import { type Core, cookieSeconds } from '../core/core.ts'
import { ErrorReport } from '../core/error-report.ts'
import { localFeed } from '../core/feed.ts'
import { invalidOption } from '../core/refusal.ts'
import { createWatch, watchedStore } from '../core/watch.ts'
import type { CoreOptions } from './core-options.ts'
import { checkCoreOptions } from './known-options.ts'

/** What the parts of the server are given. Checks the options. @throws SessionError `weak-secret`, `invalid-option` */
export function createCore(options: CoreOptions): Core {
  checkCoreOptions(options)
  const { schema, store, crypto, base = '/session', allowedOrigins = [], onLost = 'refuse' } = options
  const { app = '', trustProxy = 0, heartbeatSeconds = 25 } = options
  const carriedStore = toCarried(store, crypto)
  checkNames({ base, onLost, app })
  for (const origin of allowedOrigins) checkOrigin(origin)
  checkWholeNumber('trustProxy', trustProxy, { from: 0, to: 16 })
  checkWholeNumber('heartbeatSeconds', heartbeatSeconds, { from: 1, to: 3600 })
  const times = timesOf(options)
  const ring = createKeyRing(options.secrets, crypto, app)
  const watch = createWatch(options.channels, app)
  const clock = options.clock ?? systemClock
  const opened = isCarried(store) ? store.open(() => undefined) : store
  const lists = options.lists ?? (isCarried(store) ? store.shared : store)
  checkLists(options)
  return {
    schema,
    store: watchedStore(opened, watch),
    lists: lists && watchedStore(lists, watch),
    carriedStore,
    carried: undefined,
    numbering: numberingOf(carriedStore, clock),
    clients: carriedStore === undefined ? limits.rememberedBrowsers : carriedClients,
    crypto,
    base,
    allowedOrigins,
    onLost,
    times,
    ring,
    findPlace: createFindPlace(ring),
    jar: createCookieJar(options.cookie ?? {}, cookieSeconds(times)),
    clock,
    allowNonBrowser: options.allowNonBrowser ?? false,
    proxies: trustProxy,
    persistent: options.cookie?.persistent ?? true,
    autoSave: options.autoSave ?? true,
    guardChanges: options.guardChanges ?? true,
    feed: options.feed ?? localFeed(),
    heartbeatSeconds,
    watch,
    report: new ErrorReport(store.name, options.onError),
    keepContext: options.keepContext ?? ((run) => run),
    maxSessions: options.maxSessions ?? limits.ownerSessions,
    recentSignInSeconds: options.recentSignInSeconds,
    allowAnonymous: options.allowAnonymous ?? true,
  }
}

function checkNames({ base, onLost, app }: { base: unknown; onLost: unknown; app: unknown }): void {
  if (typeof base !== 'string' || !/^(\/[A-Za-z0-9._~-]+)+$/.test(base))
    throw invalidOption(
      `base must be a path like /session, without a slash at its end, not ${JSON.stringify(base)}.`,
    )
  if (onLost !== 'refuse' && onLost !== 'anonymous')
    throw invalidOption(`onLost must be 'refuse' or 'anonymous', not ${JSON.stringify(onLost)}.`)
  if (typeof app !== 'string' || !/^[\w.-]{0,64}$/.test(app))
    throw invalidOption(`app takes up to 64 letters, digits and _.- but not ${JSON.stringify(app)}.`)
}

function checkLists({ store, lists, maxSessions, recentSignInSeconds }: CoreOptions): void {
  if (maxSessions !== undefined)
    checkWholeNumber('maxSessions', maxSessions, { from: 1, to: limits.ownerSessions })
  if (recentSignInSeconds !== undefined)
    checkWholeNumber('recentSignInSeconds', recentSignInSeconds, { from: 1, to: 31_536_000 })
  if (lists === undefined) return
  if (isCarried(lists))
    throw invalidOption('lists must be a store on the server, not one that is kept in cookies.')
  if (isCarried(store) && store.shared === undefined)
    throw invalidOption(
      'lists has no use with cookieStore: no session can be ended from a list there. Use spillStore, or a store on the server.',
    )
}

function toCarried(store: Store | CarriedStore, crypto: ServerCrypto): CarriedStore | undefined {
  if (!isCarried(store)) return undefined
  if (crypto.aead === undefined)
    throw invalidOption('crypto has no `aead`, so it cannot encrypt, and the cookie can keep no session.')
  return store
}

/**
 * Where two requests can both begin from one revision, the next number is the time: what came of the one is not
 * taken for what came of the other.
 */
function numberingOf(carriedStore: CarriedStore | undefined, clock: Clock): Core['numbering'] {
  if (carriedStore === undefined) return ({ revision }) => ({ revision: revision + 1, isFork: false })
  return ({ revision }) => ({ revision: Math.max(revision + 1, clock()), isFork: true })
}

function checkOrigin(origin: string): void {
  if (isOrigin(origin)) return
  throw invalidOption(
    `allowedOrigins takes origins like https://app.example.com or capacitor://localhost, without a path or a slash at the end, not ${JSON.stringify(origin)}.`,
  )
}

/**
 * Schemes of app shells and browser extensions, whose pages have an origin of their own: the engines send it, but the URL standard
 * (section 4.7) calls it opaque.
 */
const shellSchemes: readonly string[] = [
  'app:',
  'capacitor:',
  'chrome-extension:',
  'ionic:',
  'moz-extension:',
  'safari-web-extension:',
  'tauri:',
]

/** Whether it is an origin exactly as browsers write it in the header `Origin`. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { origin, protocol, host } = new URL(text)
  if (shellSchemes.includes(protocol)) return host !== '' && text === `${protocol}//${host}`
  return text === origin
}

/** Whether a store keeps sessions in the cookie. */
function isCarried(store: Store | CarriedStore): store is CarriedStore {
  return store.kind === 'carried'
}
