// The door `session-mirror/retired-worker.js`: served in the place of the worker's script, it takes the worker back
// from every browser, at its next navigation.
import { retire } from './worker/retire.ts'

retire()
