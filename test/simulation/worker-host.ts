// The service worker of a profile: the real one, in a scope that the browser starts when there is something to do
// and ends at any moment.
import { installSessionWorker } from '../../src/worker/install-session-worker.ts'
import type { Upstream } from '../../src/worker/upstream.ts'
import type { Chance } from './chance.ts'
import type { SimFetchRequest, SimFetchResponse } from './messages.ts'
import type { Realm } from './realm.ts'
import type { Context, Scheduler } from './scheduler.ts'

export const origin = 'http://localhost'
export const base = 'http://localhost/session'

export interface WorkerHost {
  /** A page's request, as the browser hands it to the worker. */
  fetch(request: SimFetchRequest): Promise<SimFetchResponse>
  /** Background Sync: the browser calls at any time, whether anybody asked or not. */
  sync(): void
  kill(): void
}

interface Tools {
  readonly name: string
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly realm: Realm
  readonly scopes: Map<Context, object>
  readonly upstream: (request: SimFetchRequest) => Promise<SimFetchResponse>
}

interface Running {
  readonly context: Context
  readonly underWay: Set<() => void>
  dispatch(type: 'fetch' | 'sync', event: object): void
}

export function createWorkerHost(tools: Tools): WorkerHost {
  const { name, scheduler, chance, realm, upstream } = tools
  let running: Running | undefined
  let starts = 0

  function start(): Running {
    const context: Context = { name: `${name}.w${++starts}`, realm, isAlive: true, stalledUntil: 0 }
    const listeners: { readonly type: string; readonly listener: (event: object) => void }[] = []
    tools.scopes.set(context, {
      location: { origin },
      clients: { get: async () => ({ url: `${origin}/`, type: 'window' }) },
      addEventListener: (type: string, listener: (event: object) => void) => {
        listeners.push({ type, listener })
      },
    })
    const run = (): void =>
      installSessionWorker({ session: base, api: ['/api/'], fetch: upstream as unknown as Upstream }) // The doubles.
    scheduler.after(chance.whole(1, 30), context, { label: 'worker starts', run })
    return {
      context,
      underWay: new Set(),
      dispatch: (wanted, event) => {
        for (const { type, listener } of listeners) if (type === wanted) listener(event)
      },
    }
  }

  function fetch(request: SimFetchRequest): Promise<SimFetchResponse> {
    const page = scheduler.current
    const worker = (running ??= start())
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        worker.underWay.delete(die)
        scheduler.after(0, page, { label: 'worker answered', run })
      }
      // Chromium sends a request again whose worker has died; other engines let it fail.
      const die = (): void => {
        if (chance.of(0.5)) return settle(() => reject(new TypeError('The worker died.')))
        const again = (): void => void fetch(spare).then(resolve, reject)
        scheduler.after(1, page, { label: 'sent again', run: again })
      }
      const spare = request.clone()
      worker.underWay.add(die)
      const run = (): void => {
        const respondWith = (response: Promise<SimFetchResponse>): void =>
          void response.then(
            (value) => settle(() => resolve(value)),
            (error: unknown) => settle(() => reject(error)),
          )
        const stopImmediatePropagation = (): void => undefined
        worker.dispatch('fetch', { request, clientId: 'page', respondWith, stopImmediatePropagation })
      }
      // After it has started.
      scheduler.after(31, worker.context, { label: 'fetch event', run })
    })
  }

  return {
    fetch,
    sync() {
      const worker = (running ??= start())
      // A run that fails is tried again by the browser: here at some later call.
      const waitUntil = (work: Promise<unknown>): void => void work.catch(() => undefined)
      const run = (): void => worker.dispatch('sync', { tag: `session-mirror:${base}`, waitUntil })
      scheduler.after(31, worker.context, { label: 'sync event', run })
    },
    kill() {
      if (running === undefined) return
      const { context, underWay } = running
      running = undefined
      realm.kill(context)
      tools.scopes.delete(context)
      for (const die of underWay) die()
    },
  }
}
