// Puts our methods on a Node response, each of which asks what holds that response. One set of functions for all
// responses: closures for each would cost a tenth of a request.
import type { ServerResponse } from 'node:http'
import { HeldAnswer, type HoldPolicy } from './held-answer.ts'

/** Leads from a response to what holds it. A WeakMap would double what garbage collection costs. */
const holder: unique symbol = Symbol('session-mirror.held-answer')
/** The same where a response is held twice, as by the sessions of an app that is mounted below another one. */
const innerHolder: unique symbol = Symbol('session-mirror.inner-held-answer')

interface HeldResponse extends ServerResponse {
  readonly [holder]: HeldAnswer
  readonly [innerHolder]?: HeldAnswer
}

/** What holds `response`, if anything does; of two the one that was put on last. */
export function heldAnswerOf(response: ServerResponse): HeldAnswer | undefined {
  const held = response as Partial<HeldResponse> // Looked for; most answers have none.
  return held[innerHolder] ?? held[holder]
}

/** From now on `response` sends nothing before `policy` lets it. */
export function holdAnswer(response: ServerResponse, policy: HoldPolicy): void {
  const isHeld = heldAnswerOf(response) !== undefined
  const hasSetHeaders = typeof response.setHeaders === 'function'
  const held = new HeldAnswer(response, policy)
  Object.assign(response, isHeld ? replacementsFor(() => held) : shared)
  // Node's HTTP/2 answers have none, and must not seem to.
  if (!hasSetHeaders) Reflect.deleteProperty(response, 'setHeaders')
  Object.assign(response, isHeld ? { [innerHolder]: held } : { [holder]: held })
}

type FindHeld = (response: HeldResponse) => HeldAnswer

function replacementsFor(find: FindHeld) {
  return {
    write(this: HeldResponse, ...parameters: unknown[]): boolean {
      return find(this).write(parameters)
    },
    end(this: HeldResponse, ...parameters: unknown[]): unknown {
      return find(this).end(parameters)
    },
    flushHeaders(this: HeldResponse): void {
      find(this).flushHeaders()
    },
    writeHead(this: HeldResponse, ...parameters: unknown[]): ServerResponse {
      find(this).writeHead(parameters)
      return this
    },
    setHeader(this: HeldResponse, name: string, value: unknown): unknown {
      return find(this).setHeader(name, value)
    },
    appendHeader(this: HeldResponse, ...parameters: unknown[]): unknown {
      return find(this).changeHead('appendHeader', parameters)
    },
    removeHeader(this: HeldResponse, ...parameters: unknown[]): unknown {
      return find(this).changeHead('removeHeader', parameters)
    },
    setHeaders(this: HeldResponse, ...parameters: unknown[]): unknown {
      return find(this).changeHead('setHeaders', parameters)
    },
  }
}

const shared = replacementsFor((response) => response[holder])
