import { createSession } from '../../src/index.ts'
import { run, url } from './contestant.ts'
import { schema } from './schema.ts'

// Nothing is sent during the measurement, because the other libraries send nothing at all.
const fetch = (request: Request): Promise<Response> =>
  location.search === '?fill' ? globalThis.fetch(request) : Promise.reject(new TypeError('offline'))
const session = createSession({ schema, url, fetch, live: false })
void run({
  async open() {
    await session.ready
    return session.get('note')
  },
  write: (note) => session.set('note', note).stored,
  shown: () => session.get('note'),
  onChange: (listener) => void session.subscribe('note', listener),
})
