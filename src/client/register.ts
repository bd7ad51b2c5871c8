// Registers the service worker, without ever reloading the page, and sees whether both are of one version. A page
// without a worker does the same work itself, so nothing here may fail loudly. Loaded when the page has started.
import { Workbox } from 'workbox-window'
import type { WorkerMessage } from '../protocol/worker-messages.ts'
import { format } from '../protocol/names.ts'
import { askWorker } from './ask-worker.ts'
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
  let registration: (ServiceWorkerRegistration & WithSync) | undefined
  let isUpdated = false

  async function register(): Promise<void> {
    onState('registering')
    const scope = options.scope === undefined ? {} : { scope: options.scope }
    const workbox = new Workbox(workerUrl(options, base), { updateViaCache: 'none', ...scope })
    registration = await workbox.register({ immediate: true })
    navigator.serviceWorker.addEventListener('controllerchange', () => void compare(), { signal })
    registration?.active?.postMessage({ type: 'claim' } satisfies WorkerMessage)
    await compare()
  }

  /** Two versions do not disturb each other: a document of another format is nobody's but its writer's. */
  async function compare(): Promise<void> {
    const { controller } = navigator.serviceWorker
    onState(controller === null ? 'waiting' : 'controlling')
    const answer = controller === null ? undefined : await askWorker(controller)
    if (signal.aborted || answer?.kind !== 'other-format') return
    if (controller !== navigator.serviceWorker.controller) return
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

  function onHidden(): void {
    if (document.visibilityState === 'hidden') leaveRest()
  }

  // Refused, blocked, wrong content type, no network: the page goes on without a worker, and shows that.
  register().catch(() => onState('failed'))
  document.addEventListener('visibilitychange', onHidden, { signal })
  return { leaveRest, close: () => listening.abort() }
}
