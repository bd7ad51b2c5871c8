// The door `session-mirror/worker`: the session's part of your own service worker.
export { installReadyMade } from './worker/ready-made.ts'
export { installSessionWorker } from './worker/install-session-worker.ts'
export type { SessionWorkerOptions } from './worker/install-session-worker.ts'
export type { Upstream } from './worker/upstream.ts'
export type { WorkerMessage, WorkerReport } from './protocol/worker-messages.ts'
