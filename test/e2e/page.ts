// The page of the end-to-end tests: the SDK on `window`, driven by Playwright.
import { type Session, type SessionOptions, createSession } from 'session-mirror'
import { type Schema, schema } from './schema.ts'

declare global {
  interface Window {
    session: Session<Schema>
    events: unknown[]
  }
}

const query = new URLSearchParams(location.search)
const script = query.has('shell') ? '/shell-worker.js' : '/session-worker.js'
const worker: SessionOptions<Schema>['worker'] = query.has('no-worker')
  ? false
  : { url: script, api: ['/api/'] }
window.session = createSession({ schema, worker })
window.events = []
for (const name of ['status', 'owner', 'conflict', 'refused', 'parked', 'durability', 'exchange'] as const) {
  window.session.on(name, (value) => window.events.push([name, value]))
}
window.session.subscribe(() => show())
function show(): void {
  const { session } = window
  document.body.textContent = JSON.stringify({
    user: session.get('user'),
    note: session.get('note'),
    theme: session.get('theme'),
  })
}
void window.session.ready.then(show)
