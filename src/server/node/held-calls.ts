// What an app has written to an answer that is held: its calls in their order, and who waits to be told to go on.
// Checks what is written where it is written, and never sends anything.

type Callback = (error?: Error) => void

/** A call of one of the methods that send. */
export interface HeldCall {
  readonly method: 'write' | 'end' | 'flushHeaders'
  readonly parameters: readonly unknown[]
}

export class HeldCalls {
  readonly #calls: HeldCall[] = []
  #wantsDrain = false

  /** Whether a `write` was told to wait: the app goes on at the event `drain`. */
  get wantsDrain(): boolean {
    return this.#wantsDrain
  }

  add(call: HeldCall): void {
    this.#calls.push(call)
    if (call.method === 'write') this.#wantsDrain = true
  }

  [Symbol.iterator](): IterableIterator<HeldCall> {
    return this.#calls[Symbol.iterator]()
  }

  /** Tells everyone who gave a callback that nothing of it was sent. */
  reject(reason: Error): void {
    for (const { parameters } of this.#calls) callbackOf(parameters)?.(reason)
  }
}

/** Tells whoever wrote to an answer that has ended, or was dropped, that it is too late. */
export function refuseCall(parameters: readonly unknown[]): void {
  const callback = callbackOf(parameters)
  if (callback !== undefined) process.nextTick(callback, new Error('The answer has ended.'))
}

/** A mistake must be told where it is made, and not when the answer leaves. @throws TypeError as Node does */
export function checkChunk(chunk: unknown): void {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return
  throw Object.assign(new TypeError('An answer is written in strings and bytes.'), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}

/** Whether a call of `end` brings nothing to write. */
export function isEmptyEnd([chunk]: readonly unknown[]): boolean {
  return chunk === undefined || chunk === null || typeof chunk === 'function'
}

function callbackOf(parameters: readonly unknown[]): Callback | undefined {
  return parameters.find((one) => typeof one === 'function') as Callback | undefined // As Node's signatures have it.
}
