// The page's side of its service worker: loads what registers it, when the page has started, and says how that stands.
import type { Registered, Registering } from './register.ts'
import type { ResolvedWorker, WorkerState } from './worker-options.ts'

export interface WorkerLink {
  readonly state: WorkerState
  start(): Promise<void>
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

  function onState(next: WorkerState): void {
    state = next
    if (next === 'newer') onNewer()
  }

  return {
    get state() {
      return state
    },
    async start() {
      if (options === undefined || typeof navigator === 'undefined') return
      if (!('serviceWorker' in navigator)) return onState('unsupported')
      try {
        const { registerWorker } = await import('./register.ts')
        if (!isClosed) registered = registerWorker({ ...rest, options, onState })
      } catch {
        // Offline, or a deploy has taken the chunk away: the page does the worker's work itself.
        onState('failed')
      }
    },
    leaveRest: () => registered?.leaveRest(),
    close() {
      isClosed = true
      registered?.close()
    },
  }
}
