// The door `session-mirror/imported-worker.js`: the session's part for `importScripts`, in a worker that another tool makes
// (Workbox's generateSW, Angular's ngsw). It is told its paths by that worker's url.
import { installAsAsked } from './worker/ready-made.ts'

installAsAsked()
