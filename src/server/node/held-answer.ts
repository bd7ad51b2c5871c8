// Holding a Node answer back until the session is stored: what the app writes is queued, then sent in its order, or
// thrown away when storing failed. The first answer is the answer: what comes after its end is ignored, as nobody
// can tell yet that it has not left. An app that streams is told to wait, as by a slow client.
//
// Our methods stand between those of other middleware. They must be right when they are entered again from below:
// `end` calls `this.write` in Node's HTTP/2 answers, in light-my-request and in wrappers that packages put around it.
import type { ServerResponse } from 'node:http'
import { AnswerHead, type ResponseMethods, adoptHead, methodsOf } from './answer-head.ts'
import { HeldCalls, checkChunk, isEmptyEnd, refuseCall } from './held-calls.ts'
import { cutOff, isGone } from './send-answer.ts'

/** What has to be done at each stage of an answer before it may go on. */
export interface HoldPolicy {
  /** Stores what is to be stored. A promise: the answer waits for it, and asks again. Undefined: there is nothing. */
  store(): Promise<void> | undefined
  /** Puts headers on, just before they go out. */
  addHeaders(): void
  /** What a header may be set to that is changed after `addHeaders`, by whoever listens for the head. */
  protect(name: string, value: unknown): unknown
  /** What stays of a header that is removed after `addHeaders`; undefined: nothing. */
  staying(name: string): unknown
  /** Runs before the end of an answer that has begun to go out. When it rejects, the answer is cut off. */
  beforeEnd(): Promise<void> | undefined
  /** `store` rejected: what was written is dropped, and this has to answer, at once, on a response that is clean. */
  onFailure(error: unknown): void
  /** Told of an answer that was cut off, as nobody else is. */
  onError(error: unknown): void
}

/** Changes that are made while an answer is held are stored, too. So many times, then it is a loop. */
const maxRounds = 100

/**
 * - `open`: nothing was written; the head can be changed.
 * - `held`: the app has begun to write, and what it writes waits for the store.
 * - `sent`: the app's answer is on its way, and everything passes.
 * - `dropped`: another answer is on its way instead.
 */
type HoldState = 'open' | 'held' | 'sent' | 'dropped'

/** One answer while it is held. */
export class HeldAnswer {
  /** The methods that the response had before: Node's own, or those of middleware that came before ours. */
  readonly #originals: ResponseMethods
  readonly #response: ServerResponse
  readonly #policy: HoldPolicy
  readonly #head: AnswerHead
  readonly #calls: HeldCalls = new HeldCalls()
  #state: HoldState = 'open'
  /** `taken`: the app has ended its answer. `given`: the end was passed on, so only wrappers below can still write. */
  #end: 'none' | 'taken' | 'given' = 'none'

  constructor(response: ServerResponse, policy: HoldPolicy) {
    this.#originals = methodsOf(response)
    this.#response = response
    this.#policy = policy
    this.#head = new AnswerHead(response, this.#originals)
  }

  /** Whether the app has given its whole answer, and it is on its way: an error handler has to keep away. */
  get isDecided(): boolean {
    return this.#end !== 'none' && this.#state !== 'dropped'
  }

  /** Takes the app's headers back: what stays is what was there before the app. */
  clear(): void {
    this.#head.clear()
  }

  write(parameters: readonly unknown[]): boolean {
    if (this.#isOver()) {
      refuseCall(parameters)
      return false
    }
    if (this.#isUndecided) checkChunk(parameters[0])
    if (this.#passes()) return Reflect.apply(this.#originals.write, this.#response, parameters)
    this.#calls.add({ method: 'write', parameters })
    return false
  }

  end(parameters: readonly unknown[]): unknown {
    if (this.#isOver()) {
      refuseCall(parameters)
      return this.#response
    }
    const hasBegun = this.#state === 'sent' && this.#end === 'none'
    if (this.#isUndecided && !isEmptyEnd(parameters)) checkChunk(parameters[0])
    if (!this.#passes()) {
      this.#end = 'taken'
      this.#calls.add({ method: 'end', parameters })
      return this.#response
    }
    const waiting = hasBegun ? this.#policy.beforeEnd() : undefined
    if (waiting === undefined) return this.#giveEnd(parameters)
    this.#end = 'taken'
    waiting.then(() => this.#giveEnd(parameters)).catch((error: unknown) => this.#cut(error))
    return this.#response
  }

  flushHeaders(): void {
    if (this.#isOver()) return
    if (this.#passes()) Reflect.apply(this.#originals.flushHeaders, this.#response, [])
    else this.#calls.add({ method: 'flushHeaders', parameters: [] })
  }

  /** Like Node's own, it sends nothing yet: a session that is changed after it is still stored in time. */
  writeHead(parameters: readonly unknown[]): void {
    if (!this.#mayChangeHead()) return
    // Headers given here would go past `protect`, with HTTP/2 at least.
    if (this.#isUndecided || parameters.length > 1) adoptHead(this.#response, parameters)
    if (!this.#isUndecided) Reflect.apply(this.#originals.writeHead, this.#response, [parameters[0]])
  }

  setHeader(name: string, value: unknown): unknown {
    if (!this.#mayChangeHead()) return this.#response
    // After ours are on, only somebody who waits for the head comes here.
    const kept = this.#state === 'sent' ? this.#policy.protect(name, value) : value
    return Reflect.apply(this.#originals.setHeader, this.#response, [name, kept])
  }

  changeHead(
    method: 'appendHeader' | 'removeHeader' | 'setHeaders',
    parameters: readonly unknown[],
  ): unknown {
    if (!this.#mayChangeHead()) return this.#response
    if (this.#state === 'sent') return this.#changeLate(method, parameters)
    return Reflect.apply(this.#originals[method], this.#response, parameters)
  }

  /** By somebody who waits for the head, when ours are on: what it sets is protected like what `setHeader` sets. */
  #changeLate(
    method: 'appendHeader' | 'removeHeader' | 'setHeaders',
    parameters: readonly unknown[],
  ): unknown {
    const [first, value] = parameters
    if (method === 'setHeaders') {
      // Headers or a Map, as Node has it.
      for (const [name, given] of first as Iterable<[string, unknown]>) this.setHeader(name, given)
      return this.#response
    }
    const name = String(first)
    const isAdded = method === 'appendHeader'
    const kept = isAdded ? this.#policy.protect(name, value) : this.#policy.staying(name)
    // One more cookie stands beside ours.
    const isHarmless = isAdded ? kept === value || name.toLowerCase() === 'set-cookie' : kept === undefined
    return isHarmless
      ? Reflect.apply(this.#originals[method], this.#response, parameters)
      : Reflect.apply(this.#originals.setHeader, this.#response, [name, kept])
  }

  /** Nothing has been sent, and nothing was given up. */
  get #isUndecided(): boolean {
    return this.#state === 'open' || this.#state === 'held'
  }

  /** Whether nothing more is wanted. A wrapper below that was given the end may write until Node has it, too. */
  #isOver(): boolean {
    return this.#end === 'taken' || (this.#end === 'given' && this.#response.writableEnded)
  }

  /** Whether a call goes straight on; the first one finds that out. */
  #passes(): boolean {
    if (this.#state === 'open') this.#begin()
    return !this.#isUndecided
  }

  #begin(): void {
    const storing = this.#policy.store()
    if (storing === undefined) {
      this.#policy.addHeaders()
      this.#state = 'sent'
      return
    }
    this.#head.keepStatus()
    this.#state = 'held'
    // Once it has ended nobody can change it, and whoever asks is better told that nothing has left: an error
    // handler that believed otherwise would break the connection that the answer still needs.
    const get = (): boolean => this.#end === 'none'
    Object.defineProperty(this.#response, 'headersSent', { configurable: true, get })
    this.#finish(storing).catch((error: unknown) => this.#cut(error))
  }

  async #finish(storing: Promise<void>): Promise<void> {
    try {
      await storing
      await this.#storeTheRest()
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#release('sent')
    this.#head.restoreStatus()
    try {
      this.#policy.addHeaders()
      this.#replay()
    } catch (error) {
      // Such as a status that no answer can have.
      if (this.#response.headersSent) throw error
      this.#fail(error)
    }
    if (this.#calls.wantsDrain && !this.#response.writableNeedDrain) this.#response.emit('drain')
  }

  /** What was changed while something else was being stored. */
  async #storeTheRest(): Promise<void> {
    for (let round = 0, more = this.#policy.store(); more !== undefined; more = this.#policy.store()) {
      if (++round > maxRounds) throw new Error('The session is changed without end while its answer waits.')
      // oxlint-disable-next-line no-await-in-loop -- one after another: nothing has left yet
      await more
    }
  }

  #replay(): void {
    for (const { method, parameters } of this.#calls) {
      if (method === 'end') this.#giveEnd(parameters)
      else Reflect.apply(this.#originals[method], this.#response, parameters)
    }
  }

  #giveEnd(parameters: readonly unknown[]): unknown {
    this.#end = 'given'
    return Reflect.apply(this.#originals.end, this.#response, parameters)
  }

  #fail(error: unknown): void {
    this.#release('dropped')
    this.#end = 'given'
    // What wrappers put over ours believes that the answer has ended, and would swallow this one.
    const above = methodsOf(this.#response)
    Object.assign(this.#response, this.#originals)
    this.#head.clear()
    if (!isGone(this.#response)) this.#policy.onFailure(error)
    Object.assign(this.#response, above)
    this.#calls.reject(error instanceof Error ? error : new Error('The answer was not sent.'))
  }

  #release(state: 'sent' | 'dropped'): void {
    this.#state = state
    Reflect.deleteProperty(this.#response, 'headersSent')
  }

  #cut(error: unknown): void {
    this.#policy.onError(error)
    cutOff(this.#response, error)
  }

  /** Whether headers may be changed: as with Node, not once they count as sent. After the end it does not matter. */
  #mayChangeHead(): boolean {
    if (this.#state === 'held' && this.#end !== 'none') return false
    if (this.#state === 'dropped') return !this.#isOver()
    if (this.#state !== 'held') return true
    const error = new Error('Headers cannot be changed after the answer has begun.')
    throw Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' })
  }
}
