// What the examples keep: of the keys of the end-to-end tests' server, those that their pages use.
import { defineSession, readable, writable } from 'session-mirror/schema'

export const schema = defineSession({
  user: readable<string>(),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
})
