// The answer of an app to a request with a session: what is stored before it goes, which headers it gets, and when
// it must not go at all. For node:http and every framework that stands on Node's answers.
import type { ServerResponse } from 'node:http'
import { SessionError } from '../../protocol/errors.ts'
import type { SessionProgress } from '../http/progress.ts'
import { appHeaders, failureAnswer, mergeCacheControl, mergeVary, problemAnswer } from '../http/respond.ts'
import { holdAnswer } from './hold-answer.ts'
import type { HoldPolicy } from './held-answer.ts'
import { addHeader, headerText, sendAnswer } from './send-answer.ts'

export interface HoldOptions {
  /** How far the session of this request is. */
  progressOf(): SessionProgress
  /** Told of an answer that was cut off, or replaced for a reason that is no SessionError. */
  onError(error: unknown): void
}

/** From now on `response` waits for its session. */
export function holdForSession(response: ServerResponse, options: HoldOptions): void {
  holdAnswer(response, new SessionAnswer(response, options))
}

const readTooLate =
  'The session was read after the answer had begun as "public". It was cut off, so that no cache keeps it.'
const changedTooLate =
  'A session was begun, or signed in to, after the answer had begun: its cookie could not be sent. It was not stored.'

class SessionAnswer implements HoldPolicy {
  readonly #response: ServerResponse
  readonly #options: HoldOptions
  /** The answer is for everybody: it says nothing of a session. */
  #isShared = false
  #setsCookie = false
  /** The answer depends on the session, and says so in headers that nobody may weaken any more. */
  #isMarked = false

  constructor(response: ServerResponse, options: HoldOptions) {
    this.#response = response
    this.#options = options
  }

  store(): Promise<void> | undefined {
    const progress = this.#options.progressOf()
    // An answer that everybody may have is not for renewing somebody's cookie.
    this.#isShared = !progress.isTouched && isPublic(this.#response)
    return this.#isShared || progress.isSettled || progress.hasFailed ? undefined : progress.finish()
  }

  addHeaders(): void {
    if (this.#isShared) return
    const progress = this.#options.progressOf()
    const fields = appHeaders(progress, (name) => headerText(this.#response, name))
    this.#setsCookie = fields.some(([name]) => name === 'set-cookie')
    for (const field of fields) addHeader(this.#response, field)
    this.#isMarked = progress.isRead
  }

  protect(name: string, value: unknown): unknown {
    if (!this.#isMarked) return value
    if (name.toLowerCase() === 'cache-control') return mergeCacheControl(String(value), this.#setsCookie)
    return name.toLowerCase() === 'vary' ? mergeVary(String(value), this.#options.progressOf().vary) : value
  }

  /** Changed while the answer was streaming: not too late for the store, where no new cookie is needed. */
  beforeEnd(): Promise<void> | undefined {
    const progress = this.#options.progressOf()
    if (this.#isShared && progress.isTouched) return Promise.reject(new Error(readTooLate))
    if (!progress.isDirty || progress.hasFailed) return undefined
    return progress.needsCookie ? Promise.reject(new Error(changedTooLate)) : progress.finish()
  }

  onFailure(error: unknown): void {
    if (!(error instanceof SessionError)) this.#options.onError(error)
    sendAnswer(this.#response, error instanceof SessionError ? problemAnswer(error) : failureAnswer)
  }

  onError(error: unknown): void {
    this.#options.onError(error)
  }
}

/** The app gives this answer to shared caches, and did not look at the session for it. */
function isPublic(response: ServerResponse): boolean {
  return /\bpublic\b/i.test(headerText(response, 'cache-control') ?? '')
}
