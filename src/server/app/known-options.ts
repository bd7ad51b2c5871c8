// What createSessions and the sessions it gives take: the names of all options, the kind of each value, and what names
// of other libraries mean here. Ranges are checked where a value is used.
import {
  type ChecksOf,
  type KnownOptions,
  type OptionCheck,
  anything,
  callback,
  checkOptions,
  either,
  flag,
  number,
  object,
  oneOf,
  secretList,
  text,
  texts,
} from '../../protocol/check-options.ts'
import type { SessionSchema } from '../../protocol/schema.ts'
import type { CookieOptions } from '../core/cookie-jar.ts'
import type { CoreOptions } from './core-options.ts'
import type { DestroyOptions, SignInOptions } from './server-session.ts'
import type { RevokeAllOptions, WatchOptions } from './sessions.ts'

const schemaCheck: OptionCheck = {
  wanted: 'what defineSession gave',
  isSecret: false,
  accepts: (value) => hasMembers(value, 'keys'),
}
const storeCheck: OptionCheck = {
  wanted: 'a Store, such as memoryStore()',
  isSecret: false,
  accepts: (value) => hasMethods(value, 'read') || hasMethods(value, 'open'),
}
const feedCheck: OptionCheck = {
  wanted: 'a Feed, with publish and subscribe',
  isSecret: false,
  accepts: (value) => hasMethods(value, 'publish', 'subscribe'),
}

const lifeHint =
  'a session lives for idleTimeoutSeconds and absoluteTimeoutSeconds of createSessions, both in seconds'
const secretsHint = 'write secrets: [newest, ...older], a list of texts'
const cookieHint = (name: string): string => `write cookie: { ${name} }`
const pathHint = 'the cookie always has Path=/ and no Domain, because its name begins with __Host-'

const lifeHints: Readonly<Record<string, string>> = {
  maxAge: lifeHint,
  ttl: lifeHint,
  expires: lifeHint,
  expiration: lifeHint,
}

const coreChecks: ChecksOf<CoreOptions> = {
  schema: schemaCheck,
  secrets: { ...secretList, wanted: 'a list of texts, the newest first' },
  store: storeCheck,
  app: anything,
  crypto: object,
  base: anything,
  cookie: object,
  assurance: anything,
  idleTimeoutSeconds: number,
  absoluteTimeoutSeconds: number,
  freshSeconds: number,
  rotateSeconds: number,
  rotateGraceSeconds: number,
  allowedOrigins: texts,
  allowNonBrowser: flag,
  onLost: anything,
  trustProxy: number,
  guardChanges: flag,
  autoSave: flag,
  feed: feedCheck,
  heartbeatSeconds: number,
  channels: object,
  onError: callback,
  clock: callback,
  lists: anything,
  maxSessions: number,
  recentSignInSeconds: number,
  allowAnonymous: either(flag, callback),
  keepContext: callback,
}

const sessionHints: Readonly<Record<string, string>> = {
  ...lifeHints,
  duration: lifeHint,
  activeDuration: lifeHint,
  rolling: 'every session is rolling, and lives for idleTimeoutSeconds after it was last used',
  resave: 'a session that was not changed is never stored again',
  saveUninitialized: 'a session is stored once it has a value, and never before',
  unset: 'call session.destroy() to end a session',
  genid: 'ids are made here, of 256 random bits',
  secret: secretsHint,
  password: secretsHint,
  keys: secretsHint,
  key: secretsHint,
  cookieSecret: secretsHint,
  sessionSecret: secretsHint,
  name: cookieHint('name'),
  cookieName: cookieHint('name'),
  cookieOptions: 'write cookie',
  secure: cookieHint('secure'),
  sameSite: cookieHint('sameSite'),
  partitioned: cookieHint('partitioned'),
  persistent: cookieHint('persistent'),
  httpOnly: 'the cookie is always HttpOnly',
  domain: pathHint,
  path: 'write base for the path of the session routes; the cookie always has Path=/',
  proxy: 'write trustProxy, the number of your proxies',
  origins: 'write allowedOrigins, a list of origins',
  cors: 'write allowedOrigins, a list of origins',
}

/** What `createSessions` takes. */
export const coreOptions: KnownOptions = {
  checks: coreChecks,
  needed: ['schema', 'secrets', 'store'],
  hints: sessionHints,
}

const cookieChecks: ChecksOf<CookieOptions> = {
  secure: either(flag, oneOf('auto')),
  sameSite: oneOf('Lax', 'Strict', 'None'),
  partitioned: flag,
  persistent: flag,
  name: text,
  insecureHosts: texts,
  prefix: oneOf('__Host-Http-', 'none'),
}

const cookieOptions: KnownOptions = {
  checks: cookieChecks,
  hints: {
    ...lifeHints,
    key: 'write name',
    httpOnly: 'the cookie is always HttpOnly',
    domain: pathHint,
    path: pathHint,
    signed: 'the cookie is always signed, by the newest of secrets',
    secret: 'secrets is an option of createSessions',
    priority: 'browsers have no such attribute in common',
    overwrite: 'there is one session cookie in an answer',
  },
}

const signInChecks: ChecksOf<SignInOptions> = { carry: texts, label: anything, persistent: flag }
/** What `session.signIn` takes beside the owner. */
export const signInOptions: KnownOptions = {
  checks: signInChecks,
  hints: {
    ...lifeHints,
    remember: 'write persistent: true',
    rememberMe: 'write persistent: true',
    keep: 'write carry, a list of names of keys',
    keys: 'write carry, a list of names of keys',
    keepSessionInfo: 'write carry, a list of names of keys',
    name: 'write label',
  },
}

const destroyChecks: ChecksOf<DestroyOptions> = { everywhere: flag }
/** What `session.destroy` takes. */
export const destroyOptions: KnownOptions = {
  checks: destroyChecks,
  hints: {
    all: 'write everywhere: true',
    others: 'sessions.revokeAll(owner, { except: session.epoch }) ends them',
  },
}

const watchChecks: ChecksOf<WatchOptions<SessionSchema>> = { onChange: callback, onEnd: callback }
/** What `sessions.watch` takes beside what is watched. */
export const watchOptions: KnownOptions = {
  checks: watchChecks,
  hints: {
    onclose: 'write onEnd',
    onClose: 'write onEnd',
    onSignOut: 'write onEnd',
    onUpdate: 'write onChange',
  },
}

const revokeAllChecks: ChecksOf<RevokeAllOptions> = { except: text }
/** What `sessions.revokeAll` takes beside the owner. */
export const revokeAllOptions: KnownOptions = { checks: revokeAllChecks }

/**
 * Refuses options of `createSessions` that it cannot mean, those of the cookie, too. `defineSession` has refused those of keys.
 * @throws SessionError `invalid-option`
 */
export function checkCoreOptions(options: CoreOptions): void {
  checkOptions('createSessions', options, coreOptions)
  if (options.cookie !== undefined) checkOptions('createSessions: cookie', options.cookie, cookieOptions)
}

function hasMembers(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every(
    (name) => typeof Reflect.get(value, name) === 'object' && Reflect.get(value, name) !== null,
  )
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}
