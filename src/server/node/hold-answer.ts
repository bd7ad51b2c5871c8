// Puts our methods on a Node response, each of which asks what holds that response. One set of functions for all
// responses: closures for each would cost a tenth of a request.
import type { ServerResponse } from 'node:http'
import { HeldAnswer, type HoldPolicy } from './held-answer.ts'

/** Leads from a response to what holds it. A WeakMap would double what garbage collection costs. */
const holder: unique symbol = Symbol('session-mirror.held-answer')

interface HeldResponse extends ServerResponse {
  readonly [holder]: HeldAnswer
}

/** What holds `response`, if anything does. */
export function heldAnswerOf(response: ServerResponse): HeldAnswer | undefined {
  return (response as Partial<HeldResponse>)[holder] // Looked for; most answers have none.
}

/** From now on `response` sends nothing before `policy` lets it. Holds a response once. */
export function holdAnswer(response: ServerResponse, policy: HoldPolicy): void {
  const hasSetHeaders = typeof response.setHeaders === 'function'
  const held = new HeldAnswer(response, policy)
  Object.assign(response, replacements, { [holder]: held })
  // Node's HTTP/2 answers have none, and must not seem to.
  if (!hasSetHeaders) Reflect.deleteProperty(response, 'setHeaders')
}

const replacements = {
  write(this: HeldResponse, ...parameters: unknown[]): boolean {
    return this[holder].write(parameters)
  },
  end(this: HeldResponse, ...parameters: unknown[]): unknown {
    return this[holder].end(parameters)
  },
  flushHeaders(this: HeldResponse): void {
    this[holder].flushHeaders()
  },
  writeHead(this: HeldResponse, ...parameters: unknown[]): ServerResponse {
    this[holder].writeHead(parameters)
    return this
  },
  setHeader(this: HeldResponse, name: string, value: unknown): unknown {
    return this[holder].setHeader(name, value)
  },
  appendHeader(this: HeldResponse, ...parameters: unknown[]): unknown {
    return this[holder].changeHead('appendHeader', parameters)
  },
  removeHeader(this: HeldResponse, ...parameters: unknown[]): unknown {
    return this[holder].changeHead('removeHeader', parameters)
  },
  setHeaders(this: HeldResponse, ...parameters: unknown[]): unknown {
    return this[holder].changeHead('setHeaders', parameters)
  },
}
