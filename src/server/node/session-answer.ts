// The answer of an app to a request with a session: what is stored before it goes, which headers it gets, and when
// it must not go at all. For node:http and every framework that stands on Node's answers.
import type { ServerResponse } from 'node:http'
import { SessionError } from '../../protocol/errors.ts'
import { errorAnswer } from '../http/core-answer.ts'
import type { SessionProgress } from '../http/progress.ts'
import {
  addSessionHeaders,
  closedValue,
  isPublic,
  isTargeted,
  mergeCacheControl,
  mergeVary,
} from '../http/session-headers.ts'
import type { HoldPolicy } from './held-answer.ts'
import { holdAnswer } from './hold-answer.ts'
import { nodeHeaders, sendAnswer } from './send-answer.ts'

/** Told of an answer that was cut off or replaced. */
export type OnAnswerError = (error: unknown) => void

/** From now on `response` waits until what `progress` says is stored. */
export function holdForSession(
  response: ServerResponse,
  progress: SessionProgress,
  onError: OnAnswerError,
): void {
  holdAnswer(response, new SessionAnswer(response, progress, onError))
}

const readTooLate =
  'The session was read after the answer had begun as "public". It was cut off, so that no cache keeps it.'
const changedTooLate =
  'A session was begun, or signed in to, after the answer had begun: its cookie could not be sent. It was not stored.'

/** Whether nobody but `onError` can see an error: it is no answer's, as an answer that is cut off has none. */
export function isUnseen(error: unknown): boolean {
  return !(error instanceof SessionError) || error.code === 'answer-begun'
}

class SessionAnswer implements HoldPolicy {
  readonly #response: ServerResponse
  readonly #progress: SessionProgress
  readonly #onError: OnAnswerError
  /** The answer is for everybody: it says nothing of a session. */
  #isShared = false
  /** The Set-Cookie lines of the session. */
  #cookies: readonly string[] = []
  /** The answer depends on the session, and says so in headers that nobody may weaken any more. */
  #isMarked = false

  constructor(response: ServerResponse, progress: SessionProgress, onError: OnAnswerError) {
    this.#response = response
    this.#progress = progress
    this.#onError = onError
  }

  store(): Promise<void> | undefined {
    const progress = this.#progress
    this.#dropWhenFailed()
    // An answer that everybody may have is not for renewing somebody's cookie.
    this.#isShared = !progress.isTouched && isPublic(nodeHeaders.get(this.#response, 'cache-control'))
    return this.#isShared || progress.isSettled || progress.hasFailed ? undefined : progress.finish()
  }

  addHeaders(): void {
    if (!this.#isShared) this.#cookies = addSessionHeaders(nodeHeaders, this.#response, this.#progress)
    this.#progress.beginAnswer()
    if (this.#isShared) return
    this.#isMarked = this.#progress.isRead
  }

  protect(name: string, value: unknown): unknown {
    if (!this.#isMarked) return value
    const field = name.toLowerCase()
    if (field === 'cache-control') return mergeCacheControl(String(value), this.#cookies.length > 0)
    if (field === 'set-cookie') return this.#withCookies(value)
    if (isTargeted(field)) return closedValue(field)
    return field === 'vary' ? mergeVary(String(value), this.#progress.vary) : value
  }

  staying(name: string): unknown {
    if (!this.#isMarked) return undefined
    const field = name.toLowerCase()
    if (field === 'cache-control') return mergeCacheControl(undefined, this.#cookies.length > 0)
    if (field === 'set-cookie') return this.#cookies.length > 0 ? this.#cookies : undefined
    return field === 'vary' ? this.#progress.vary : undefined
  }

  /** Whoever sets the app's cookies anew does not know ours. */
  #withCookies(value: unknown): unknown {
    if (this.#cookies.length === 0) return value
    const given = [value].flat().map(String)
    return [...given, ...this.#cookies.filter((line) => !given.includes(line))]
  }

  /** Changed while the answer was streaming: not too late for the store, where no new cookie is needed. */
  beforeEnd(): Promise<void> | undefined {
    const progress = this.#progress
    if (this.#isShared && progress.isTouched) return Promise.reject(new Error(readTooLate))
    this.#dropWhenFailed()
    if (!progress.isDirty || progress.hasFailed) return undefined
    return progress.needsCookie
      ? Promise.reject(new SessionError('answer-begun', changedTooLate))
      : progress.finish()
  }

  /** An answer of 5xx says that the request was not done: nothing of it is kept but what was saved explicitly. */
  #dropWhenFailed(): void {
    if (this.#response.statusCode >= 500 && this.#progress.isDirty) this.#progress.revert()
  }

  onFailure(error: unknown): void {
    this.#progress.beginAnswer()
    this.#onError(error)
    sendAnswer(this.#response, errorAnswer(error))
  }

  onError(error: unknown): void {
    this.#onError(error)
  }
}
