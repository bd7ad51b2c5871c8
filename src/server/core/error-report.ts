// Tells the people who run the server, once for each kind, what is only visible to users as 503, and what answers do not
// show of the app's own mistakes. Never a secret: of what a store or a validator said only codes are logged.
import { errorTable, isMistakeOfApp } from '../../protocol/error-table.ts'
import type { SessionError, SessionErrorCode } from '../../protocol/errors.ts'

/** Told of an error that only users see. Must not throw. */
export type OnSessionError = (error: SessionError) => void

/** Everything else but the app's own mistakes is the user's to see. */
const reportedCodes: readonly SessionErrorCode[] = ['store-unavailable', 'contention']

export class ErrorReport {
  readonly #onError: OnSessionError | undefined
  readonly #storeName: string
  readonly #told = new Set<SessionErrorCode>()
  /** What an adapter has not fetched yet; undefined: no adapter listens. */
  #waiting: SessionError[] | undefined = undefined

  /** @param onError is told instead of the log */
  constructor(storeName: string, onError: OnSessionError | undefined) {
    this.#storeName = storeName
    this.#onError = onError
  }

  /** Who is told instead of the log, if anybody is. */
  get onError(): OnSessionError | undefined {
    return this.#onError
  }

  /**
   * A mistake of the app that became an answer: each time to `onError`, else once for each code to `console.error`, without
   * its sentence, which may hold a hidden value. Does nothing for other errors.
   */
  tellMistake(error: SessionError): void {
    if (!isMistakeOfApp(error.code)) return
    if (this.#onError !== undefined) return this.#onError(error)
    if (this.#told.has(error.code)) return
    this.#told.add(error.code)
    // oxlint-disable-next-line no-console -- one sentence, once: the answer does not show it
    console.error(mistakeSentenceOf(error))
  }

  /** Once for each code, at once: to `onError`, else to an adapter that listens, else to `console.error`. */
  tell(error: SessionError): void {
    if (!reportedCodes.includes(error.code) || this.#told.has(error.code)) return
    this.#told.add(error.code)
    if (this.#onError !== undefined) this.#onError(error)
    // oxlint-disable-next-line no-console -- one sentence, once: without it nobody would know of a wrong address
    else if (this.#waiting === undefined) console.error(sentenceOf(error, this.#storeName))
    else this.#waiting.push(error)
  }

  /** From now on an adapter takes what is to be told, together with its request. */
  listen(): void {
    this.#waiting ??= []
  }

  /** What is to be told by the adapter that listens. */
  take(): readonly SessionError[] {
    return this.#waiting?.splice(0) ?? []
  }
}

const advice: Partial<Record<SessionErrorCode, string>> = {
  'store-unavailable': 'see whether it runs, and whether its options name it rightly',
  contention: 'see what changes one session so often',
}

function sentenceOf({ code, cause }: SessionError, storeName: string): string {
  const codes = codesOf(cause).join(', ')
  const what = code === 'contention' ? 'has too many writers of one session' : 'does not answer'
  const why = codes === '' ? '' : ` (${codes})`
  return `session-mirror: the store "${storeName}" ${what}${why}, so requests are answered 503: ${advice[code] ?? ''}. This is said once; createSessions({ onError }) gets the error itself.`
}

function mistakeSentenceOf({ code }: SessionError): string {
  const { title, action } = errorTable[code]
  return `session-mirror: a handler threw the SessionError "${code}", so its request was answered 500. ${title} ${action} This is said once; createSessions({ onError }) gets the error itself.`
}

/** How far into the causes of a cause it is looked. */
const maxCauses = 4

/** Codes such as ECONNREFUSED. Do NOT show messages, because some stores put addresses with passwords into them. */
function codesOf(cause: unknown): readonly string[] {
  const codes: string[] = []
  let inner = cause
  while (inner instanceof Error && codes.length < maxCauses) {
    const code: unknown = Reflect.get(inner, 'code')
    const shown = typeof code === 'string' || typeof code === 'number' ? String(code) : inner.name
    if (/^[\w-]{1,40}$/.test(shown)) codes.push(shown)
    inner = inner.cause
  }
  return codes
}

const reports = new WeakMap<object, ErrorReport>()

/** Remembers whose report it is, for adapters, which know nothing but the sessions. */
export function bindReport(sessions: object, report: ErrorReport): void {
  reports.set(sessions, report)
}

/** The report of what `createSessions` gave; undefined for a copy of it. */
export function reportOf(sessions: object): ErrorReport | undefined {
  return reports.get(sessions)
}
