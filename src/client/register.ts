// Registers the service worker, without ever reloading the page, and sees whether both are of one version. A page
// without a worker does the same work itself, so nothing here may fail loudly. Loaded when the page has started.
import { Workbox } from 'workbox-window'
import type { WorkerMessage, WorkerReport } from '../protocol/worker-messages.ts'
import { format } from '../protocol/names.ts'
import { askWorker } from './ask-worker.ts'
import { trusted } from './trusted-url.ts'
import { type ResolvedWorker, type WorkerState, workerUrl } from './worker-options.ts'

export interface Registering {
  readonly options: ResolvedWorker
  readonly base: string
  /** The tag of Background Sync. */
  readonly syncTag: string
  /** Whether anything would be lost to the server if this page were closed now. */
  readonly hasRest: () => boolean
  readonly onState: (state: WorkerState) => void
}

export interface Registered {
  /** The server could not be reached: should this page go, the worker sends the rest (Background Sync). */
  leaveRest(): void
  /** Registers once more what has failed, or was cleared. */
  again(): void
  close(): void
}

/** Not in TypeScript's library: Background Sync (WICG), section 4.1. Chromium only. */
interface WithSync {
  readonly sync?: { register(tag: string): Promise<void> }
}

/** Registers, and asks an active worker to take over a page that it does not control yet (a hard reload). */
export function registerWorker(registering: Registering): Registered {
  const { options, base, hasRest, onState, syncTag } = registering
  const listening = new AbortController()
  const { signal } = listening
  const { serviceWorker } = navigator
  const script = trusted(workerUrl(options, base))
  /** Another script was in control when this page was loaded: the browser keeps the page to its static routes. */
  const isLate = isOther(serviceWorker.controller, script)
  let registration: (ServiceWorkerRegistration & WithSync) | undefined
  let isUpdated = false
  let isRunning = false

  async function register(): Promise<void> {
    isRunning = true
    onState('registering')
    try {
      const scope = options.scope === undefined ? {} : { scope: options.scope }
      // Workbox takes whatever the browser's own `register` takes.
      const workbox = new Workbox(script as string, { updateViaCache: 'none', ...scope })
      registration = await workbox.register({ immediate: true })
      registration?.active?.postMessage({ type: 'claim' } satisfies WorkerMessage)
      await compare()
    } catch {
      // Refused, blocked, wrong content type, no network: the page goes on without a worker, and shows that.
      registration = undefined
      onState('failed')
    }
    isRunning = false
  }

  async function again(): Promise<void> {
    if (isRunning || signal.aborted) return
    // Cleared by the user, or by a kill switch that is none of ours: `unregister` leaves no `active` worker behind.
    const isThere = registration !== undefined && (await serviceWorker.getRegistration(registration.scope))
    if (!isThere && !isRunning && !signal.aborted) await register()
  }

  /** Two versions do not disturb each other: a document of another format is nobody's but its writer's. */
  async function compare(): Promise<void> {
    const { controller } = serviceWorker
    onState(controller === null ? 'waiting' : 'controlling')
    const answer = controller === null ? undefined : await askWorker(controller)
    if (signal.aborted || answer === undefined || controller !== serviceWorker.controller) return
    if (answer.kind === 'report') {
      if (isLate || !isAsAsked(answer.report, registering)) onState('different')
      return
    }
    if (answer.format > format) return onState('newer')
    onState('older')
    // Once for each page: where the server still has the older script, asking again and again would not help.
    if (isUpdated) return
    isUpdated = true
    await registration?.update().catch(() => undefined)
  }

  function leaveRest(): void {
    // Refused where the user has switched it off: then the next page sends the rest.
    if (hasRest()) registration?.sync?.register(syncTag).catch(() => undefined)
  }

  function onVisibility(): void {
    if (document.visibilityState === 'hidden') leaveRest()
    else void again().catch(() => undefined)
  }

  serviceWorker.addEventListener('controllerchange', () => void compare(), { signal })
  document.addEventListener('visibilitychange', onVisibility, { signal })
  void register()
  return { leaveRest, again: () => void again().catch(() => undefined), close: () => listening.abort() }
}

function isOther(controller: ServiceWorker | null, script: string | { toString(): string }): boolean {
  return controller !== null && controller.scriptURL !== new URL(String(script), location.href).href
}

function isAsAsked({ session, api }: WorkerReport, { base, options }: Registering): boolean {
  return session === base && sorted(api) === sorted(options.api)
}

function sorted(entries: readonly string[]): string {
  return entries.toSorted().join()
}
