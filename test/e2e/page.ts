// The page of the end-to-end tests: the SDK on `window`, driven by Playwright.
import { type Session, type SessionOptions, createSession } from 'session-mirror'
import { type Schema, schema } from './schema.ts'

declare global {
  interface Window {
    session: Session<Schema>
    events: unknown[]
    /** What could be read in the tick in which the session was created. */
    atOnce: unknown
    /** What the session said whenever this page came out of the back-forward cache, before anything was painted. */
    restored: unknown[]
  }
}

const query = new URLSearchParams(location.search)
const script = query.has('shell') ? '/shell-worker.js' : '/session-worker.js'
const given = (name: string): string | undefined => query.get(name) ?? undefined
const api = given('api')?.split(',') ?? ['/api/']
const scope = given('scope')
const worker: SessionOptions<Schema>['worker'] = query.has('no-worker')
  ? false
  : { url: given('worker') ?? script, api, ...(scope === undefined ? {} : { scope }) }
const boot: SessionOptions<Schema>['boot'] = query.has('boot') ? ['user', 'theme'] : []
const url = given('url') ?? '/session'
window.session = createSession({ schema, url, worker, boot })
window.atOnce = [window.session.get('user'), window.session.get('theme')]
window.restored = []
addEventListener('pageshow', (event) => {
  if (event.persisted) window.restored.push(window.session.status)
})
window.events = []
for (const name of [
  'status',
  'owner',
  'conflict',
  'refused',
  'parked',
  'durability',
  'exchange',
  'outdated',
] as const) {
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
