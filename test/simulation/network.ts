// Between browsers and servers: requests are lost, doubled, late and out of order; so are answers. Cookies are the
// browser's: taken when the answer arrives, whether or not its page still lives.
import { type Jar, createJar } from '../../src/testing/jar.ts'
import type { Chance } from './chance.ts'
import { type SimFetchRequest, SimFetchResponse } from './messages.ts'
import type { Answer, Server, Wire } from './server.ts'
import type { Context, Scheduler } from './scheduler.ts'

export interface Trouble {
  /** Shares of requests that never arrive, whose answers never do, and that arrive twice. */
  lost: number
  unanswered: number
  doubled: number
  /** The longest way in milliseconds; a twentieth takes twenty times as long. */
  wait: number
}
export const calm: Trouble = { lost: 0, unanswered: 0, doubled: 0, wait: 20 }

/** One browser's way to the servers. */
export interface Line {
  readonly jar: Jar
  isOffline: boolean
  /** When the first batch left whose answer has brought the last new session. */
  begun: number
}

export interface Network {
  trouble: Trouble
  /** As `fetch` of a page or worker; a form that is sent is a navigation. */
  send(
    line: Line,
    request: SimFetchRequest,
    extra?: Readonly<Record<string, string>>,
  ): Promise<SimFetchResponse>
  /** Whoever waits for this process hears that it is gone. */
  dropAll(server: Context): void
}

interface Tools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly servers: () => readonly Server[]
  readonly onRequest: (wire: Wire) => void
  readonly onAnswer: (wire: Wire, answer: Answer) => void
}

export function createLine(): Line {
  return { jar: createJar(), isOffline: false, begun: 0 }
}

export function createNetwork({ scheduler, chance, servers, onRequest, onAnswer }: Tools): Network {
  /** What breaks off when a process dies. */
  const underWay = new Map<Context, Set<() => void>>()
  const way = (): number => {
    const { wait } = network.trouble
    return 1 + chance.next() * wait * (chance.of(0.05) ? 20 : 1)
  }

  /** One arrival of a request at one of the servers. Resolves with undefined when the answer gets lost. */
  function arrive(wire: Wire, answered: (answer: Answer | undefined) => void): void {
    const server = chance.pick(servers().filter(({ context }) => context.isAlive))
    if (server === undefined) return answered(undefined)
    const { context } = server
    const breaks = underWay.get(context) ?? new Set()
    underWay.set(context, breaks)
    const breakOff = (): void => answered(undefined)
    breaks.add(breakOff)
    const run = (): void => {
      scheduler.trace.note(`${wire.method} ${wire.url} ${wire.body ?? ''}`)
      onRequest(wire)
      server.handle(wire).then(
        (answer) => {
          breaks.delete(breakOff)
          scheduler.trace.note(`${answer.status} ${wire.method} ${wire.url} ${answer.body}`)
          onAnswer(wire, answer)
          scheduler.after(way(), undefined, { label: 'answer', run: () => answered(answer) })
        },
        (error: unknown) => {
          breaks.delete(breakOff)
          scheduler.trace.note(`failed: ${String(error)}`)
          throw error
        },
      )
    }
    scheduler.after(way(), context, { label: 'request', run })
  }

  const network: Network = {
    trouble: calm,
    send(line, request, extra = {}) {
      const context = scheduler.current
      const { lost, unanswered, doubled } = network.trouble
      const isLost = line.isOffline || chance.of(lost)
      const isUnanswered = chance.of(unanswered)
      const isDoubled = chance.of(doubled)
      const isFirstHeard = !isDoubled || chance.of(0.5)
      const sentAt = scheduler.now
      return new Promise((resolve, reject) => {
        let isOver = false
        const end = (settle: () => void): void => {
          if (isOver) return
          isOver = true
          scheduler.after(0, context, { label: 'fetched', run: settle })
        }
        const fail = (): void => end(() => reject(new TypeError('No network.')))
        request.signal?.addEventListener('abort', () => end(() => reject(request.signal?.reason)))
        const hear = (answer: Answer | undefined): void => {
          if (answer === undefined || isUnanswered) return fail()
          // A page that is gone or has given up: its answer may still be read by the browser, or not.
          if ((isOver || context?.isAlive === false) && chance.of(0.5)) return
          for (const [name, value] of answer.headers) {
            if (name !== 'set-cookie') continue
            line.jar.take(value)
            if (request.content?.startsWith('{"epoch":null') === true) line.begun = sentAt
            scheduler.trace.note(`cookie ${value.slice(0, 60)}`)
          }
          const fields = answer.headers.filter(([name]) => name !== 'set-cookie')
          const { status, body } = answer
          end(() => resolve(new SimFetchResponse(body, { status, headers: fields })))
        }
        const depart = (): void => {
          if (isLost) {
            scheduler.after(way(), undefined, { label: 'lost', run: fail })
            return
          }
          const wire = toWire(request, line, extra)
          const ignore = (): void => undefined
          arrive(wire, isFirstHeard ? hear : ignore)
          if (isDoubled)
            scheduler.after(way(), undefined, {
              label: 'again',
              run: () => arrive(wire, isFirstHeard ? ignore : hear),
            })
        }
        request.use()
        scheduler.after(0, undefined, { label: 'depart', run: depart })
      })
    },
    dropAll(server) {
      for (const breakOff of underWay.get(server) ?? []) breakOff()
      underWay.delete(server)
    },
  }
  return network
}

function toWire(request: SimFetchRequest, { jar }: Line, extra: Readonly<Record<string, string>>): Wire {
  const headers = new Headers(request.headers)
  headers.set('sec-fetch-site', 'same-origin')
  headers.set('sec-fetch-mode', 'cors')
  for (const [name, value] of Object.entries(extra)) headers.set(name, value)
  const { pathname, search } = new URL(request.url)
  const cookie = request.credentials === 'omit' ? undefined : jar.header()
  return { method: request.method, url: pathname + search, headers, cookie, body: request.content }
}
