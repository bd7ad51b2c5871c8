import { createSession } from '../../src/index.ts'
import { defineSession, writable } from '../../src/schema.ts'

declare global {
  interface Window {
    ready: boolean
    write(): Promise<unknown>
    pending(): number
  }
}

const schema = defineSession({ visits: writable.counter() })
const session = createSession({ schema, worker: { url: '/session-worker.js', api: ['/api/'] } })
window.write = () => session.increment('visits').stored
window.pending = () => session.pending
window.ready = false
void session.ready.then(() => (window.ready = true))
