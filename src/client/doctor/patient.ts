// What the doctor may know of a session.
import type { TabMirror } from '../../mirror/tabs/tab-mirror.ts'
import type { ResolvedWorker, WorkerState } from '../worker-options.ts'

export interface Patient {
  /** The base of the session routes. */
  readonly base: string
  /** Undefined when the app wants no worker. */
  readonly worker: ResolvedWorker | undefined
  readonly workerState: WorkerState
  readonly mirror: TabMirror
  /** Urls of listed requests whose answers said nothing of the session. */
  readonly silent: readonly string[]
  /** Milliseconds. */
  readonly now: () => number
  readonly fetch: (request: Request) => Promise<Response>
}
