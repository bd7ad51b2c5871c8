// One service worker for tests: the session's and msw's, so that handlers in the page answer what the session's worker
// sends. Two scripts cannot share a scope, and msw does not see what another worker fetches.
import { SessionError } from '../protocol/errors.ts'
import { type WorkerOptions, workerOptions, workerUrl } from '../client/worker-options.ts'

/** What is called in msw's script, and how its listener begins: without them the two would not work together. */
const needed = [
  /^async function handleRequest\(event\) \{/m,
  /^addEventListener\('fetch', function \(event\) \{/m,
]

/**
 * The text of one classic script: serve it where the tests' page registers its worker.
 * @param session the text of `session-mirror/mocked-worker.js`
 * @param msw the text of `msw/mockServiceWorker.js`
 * @throws SessionError `unsupported` for an msw whose script is built in another way
 * @example mockWorkerScript(readFileSync(fileURLToPath(import.meta.resolve('session-mirror/mocked-worker.js')), 'utf8'), mswScript)
 */
export function mockWorkerScript(session: string, msw: string): string {
  if (!session.includes('handleRequest'))
    throw new SessionError('unsupported', 'This is not the text of session-mirror/mocked-worker.js.')
  if (!needed.every((part) => part.test(msw)))
    throw new SessionError(
      'unsupported',
      'This msw has another worker script than the one that session-mirror/testing knows (msw 3): update session-mirror, or pin msw.',
    )
  // Ours first: who listens first answers first. Functions of a classic script are there before its first line runs.
  return `${session}\n${msw}`
}

/** What msw's `worker.start({ serviceWorker })` takes. */
export interface MockedWorker {
  /** The script's url, with the session's options in its query. */
  readonly url: string
  /** What the browser's `register` is given. */
  readonly options: RegistrationOptions
}

/**
 * What msw's `worker.start({ serviceWorker })` takes, so that it registers the very script that `createSession({ worker })`
 * does: by another url each would push the other one out. `base` is that of the session routes.
 * @example await worker.start({ serviceWorker: mockedWorker('/session-worker.js') })
 */
export function mockedWorker(worker: string | WorkerOptions, base = '/session'): MockedWorker {
  const options = workerOptions(worker, base)
  if (options === undefined) throw new SessionError('invalid-option', 'There is no worker to mock.')
  const { scope } = options
  return {
    // A policy's url is its text.
    url: String(workerUrl(options, base)),
    options: { updateViaCache: 'none', ...(scope === undefined ? {} : { scope }) },
  }
}
