// Another page of the same app, in a frame: what a second tab is to storage, locks, channels and the worker.
import { type Session, type SessionOptions, createSession } from 'session-mirror'
import { type Schema, schema } from './schema.ts'

export interface Tab extends Window {
  readonly openSession: (options: Omit<SessionOptions<Schema>, 'schema'>) => Session<Schema>
}

Object.assign(window, {
  openSession: (options: Omit<SessionOptions<Schema>, 'schema'>) => createSession({ schema, ...options }),
})
