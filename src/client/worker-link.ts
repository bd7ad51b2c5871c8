// The page's side of its service worker: loads what registers it, when the page has started, and says how that stands.
import { loadPart } from './load-part.ts'
import type { Registered, Registering } from './register.ts'
import { Retries } from './retries.ts'
import type { ResolvedWorker, WorkerState } from './worker-options.ts'

export interface WorkerLink {
  readonly state: WorkerState
  /** Loads and registers it. Never rejects. */
  start(): Promise<void>
  /** Once more what has failed before. */
  again(): void
  /** The server could not be reached: should this page go, the worker sends the rest. */
  leaveRest(): void
  close(): void
}

export interface WorkerLinkOptions extends Omit<Registering, 'options' | 'onState'> {
  readonly options: ResolvedWorker | undefined
  /** The worker is newer than this page. */
  readonly onNewer: () => void
}

export function linkWorker({ options, onNewer, ...rest }: WorkerLinkOptions): WorkerLink {
  let state: WorkerState = 'none'
  let registered: Registered | undefined
  let isClosed = false
  const retries = new Retries()

  function onState(next: WorkerState): void {
    state = next
    if (next === 'newer') onNewer()
    if (next === 'failed') retries.failed()
    else if (next !== 'registering') retries.succeeded()
  }

  async function start(): Promise<void> {
    if (options === undefined) return
    if (!globalThis.navigator?.serviceWorker) return onState('unsupported')
    state = 'registering'
    const loaded = await loadPart(() => import('./register.ts'))
    // Without it the page does the worker's work itself.
    if (loaded === undefined) return onState('failed')
    if (!isClosed) registered = loaded.registerWorker({ ...rest, options, onState })
  }

  return {
    get state() {
      return state
    },
    start,
    again() {
      if (state !== 'failed' || isClosed || !retries.isDue) return
      if (registered === undefined) void start()
      else registered.again()
    },
    leaveRest: () => registered?.leaveRest(),
    close() {
      isClosed = true
      registered?.close()
    },
  }
}
