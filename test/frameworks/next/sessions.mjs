// One for all routes: Next may load this module once for each of them.
import { memoryStore } from 'session-mirror/memory'
import { defineSession, readable } from 'session-mirror/schema'
import { createSessions } from 'session-mirror/server'

const schema = defineSession({ item: readable() })
globalThis.store ??= memoryStore()
export const sessions = createSessions({
  schema,
  secrets: ['a secret of the example that is long enough'],
  store: globalThis.store,
})
