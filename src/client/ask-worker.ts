// Asks a worker what it is.
import { type WorkerAnswer, type WorkerMessage, parseWorkerAnswer } from '../protocol/worker-messages.ts'

/** Milliseconds to wait for the answer. Starting a worker takes 20; one that says nothing for this long is not ours. */
const answerTimeoutMilliseconds = 3000

/** What `worker` says of itself; undefined when it says nothing. Never rejects. */
export function askWorker(worker: ServiceWorker): Promise<WorkerAnswer | undefined> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const timer = setTimeout(done, answerTimeoutMilliseconds)
    port1.addEventListener('message', ({ data }) => done(parseWorkerAnswer(data)))
    port1.start()
    worker.postMessage({ type: 'report' } satisfies WorkerMessage, [port2])
    function done(answer?: WorkerAnswer): void {
      clearTimeout(timer)
      port1.close()
      resolve(answer)
    }
  })
}
