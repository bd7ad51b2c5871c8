// The door `session-mirror/mocked-worker.js`: the session's half of a service worker for tests with msw.
import { installMocked } from './worker/mocked.ts'

installMocked()
