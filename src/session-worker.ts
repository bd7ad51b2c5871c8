// The door `session-mirror/session-worker.js`: a whole service worker, for apps that have none.
import { installReadyMade } from './worker/ready-made.ts'

installReadyMade()
