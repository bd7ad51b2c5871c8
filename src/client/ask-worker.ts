// Asks a worker what it is.
import { type WorkerMessage, type WorkerReport, parseWorkerReport } from '../protocol/worker-messages.ts'

/** A worker that has to be started first takes 20 ms; one that says nothing for so long is not ours. */
const patience = 3000

export type AnyReport = Partial<WorkerReport> & { readonly format: number }

/** What `worker` says of itself; undefined when it says nothing. */
export function askWorker(worker: ServiceWorker): Promise<AnyReport | undefined> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const timer = setTimeout(done, patience)
    port1.addEventListener('message', ({ data }) => done(parseWorkerReport(data)))
    port1.start()
    worker.postMessage({ type: 'report' } satisfies WorkerMessage, [port2])
    function done(report?: AnyReport): void {
      clearTimeout(timer)
      port1.close()
      resolve(report)
    }
  })
}
