// The page of all examples: the session, an image, something from the app's own catalogue. It registers nothing itself.
import { createSession } from 'session-mirror'
import { schema } from './schema.ts'

Object.assign(window, { session: createSession({ schema, worker: { url: '/sw.js', api: ['/api/'] } }) })
