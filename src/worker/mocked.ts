// The ready-made worker for tests: what it sends goes through msw's own worker script, which stands in the same file, to
// the handlers in the page. Put together by `mockWorkerScript` of the testing door.
import { installReadyMade } from './ready-made.ts'

/** A global function of msw's classic script. */
declare function handleRequest(event: {
  readonly request: Request
  readonly clientId: string
}): Promise<Response>

export function installMocked(): void {
  installReadyMade((request, event) => handleRequest({ request, clientId: event?.clientId ?? '' }))
}
