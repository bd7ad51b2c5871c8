// The door `session-mirror/worker`: the session's part of your own service worker.
export { installReadyMade } from './worker/ready-made.ts'
export { installSessionWorker } from './worker/worker.ts'
export type { SessionWorkerOptions, Upstream } from './worker/worker.ts'
export type { WorkerMessage, WorkerReport } from './protocol/worker-messages.ts'
