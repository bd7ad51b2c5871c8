// What one server did for this process, counted as it happens, and whether it is up. A few additions for each
// operation; whoever wants the numbers asks. In the public names a memcached server is a `node`.
import { channel } from 'node:diagnostics_channel'
import type { ConnectionWatch } from './connection.ts'
import { type MemcachedFailureCode, MemcachedError, isRefusal } from './memcached-error.ts'
import type { ServerFigures } from './server-figures.ts'

/**
 * Whether operations go to the server. `up`: yes. `down`: the last one failed. `held`: it is back, and not believed
 * before it has the tombstones of the sessions that ended meanwhile.
 */
export type NodeState = 'up' | 'down' | 'held'

/** What the diagnostics channel `session-mirror:node` tells when the state of a server changes. */
export interface NodeEvent {
  /** The server's name, as the option `servers` has it. */
  readonly node: string
  /** Whether operations go to it now. */
  readonly state: NodeState
  /** Tombstones that the server has not got yet. */
  readonly owed: number
}

/** One server, as this process sees it. Counts are since the store was made. */
export interface NodeStats extends NodeEvent {
  /** What the connection speaks, or spoke last; undefined before the first one. */
  readonly dialect: 'meta' | 'classic' | undefined
  /** Made so far: more than one says how often it was lost. */
  readonly connections: number
  /** Operations that wait for their replies. */
  readonly inFlight: number
  /** Operations that have ended, failures included. */
  readonly operations: number
  /** Reads that found a value. */
  readonly hits: number
  /** Reads that found none. */
  readonly misses: number
  /** Operations that failed, by the code of their cause: `timeout`, `cut`, `resting`, `out-of-memory` … */
  readonly failures: Readonly<Partial<Record<MemcachedFailureCode, number>>>
  /** What all operations took together; divided by `operations`, the mean. */
  readonly milliseconds: number
  /** The longest since `stats` was asked last. */
  readonly longestMilliseconds: number
  /** What the server says of itself; undefined when it does not answer or is a proxy. */
  readonly server: ServerFigures | undefined
}

export interface ServerStatistics extends ConnectionWatch {
  /** Says how many tombstones the server has not got now. */
  owe(owed: number): void
  /** Says that an operation was held back for lack of them. */
  hold(cause: MemcachedError): void
  /** The counts now; what was the longest begins anew. */
  take(): Omit<NodeStats, 'server'>
}

const stateChannel = channel('session-mirror:node')

/** @param node the server's name */
export function createServerStatistics(node: string): ServerStatistics {
  let state: NodeState = 'up'
  let owed = 0
  let dialect: NodeStats['dialect']
  const counts = { connections: 0, inFlight: 0, operations: 0, hits: 0, misses: 0, milliseconds: 0 }
  let longestMilliseconds = 0
  const failures: Partial<Record<MemcachedFailureCode, number>> = {}

  function become(next: NodeState): void {
    if (next === state) return
    state = next
    if (stateChannel.hasSubscribers) stateChannel.publish({ node, state, owed } satisfies NodeEvent)
  }

  function fail(cause: unknown): void {
    const code = cause instanceof MemcachedError ? cause.code : 'protocol'
    failures[code] = (failures[code] ?? 0) + 1
    // A server that is full is there, and what we do not send is not its fault.
    const isThere = isRefusal(cause) || code === 'overload' || code === 'closed'
    if (!isThere && state !== 'held') become(code === 'held' ? 'held' : 'down')
  }

  return {
    began() {
      counts.inFlight++
    },
    ended(outcome, milliseconds) {
      counts.inFlight--
      counts.operations++
      counts.milliseconds += milliseconds
      if (milliseconds > longestMilliseconds) longestMilliseconds = milliseconds
      if (outcome.kind === 'unavailable') return fail(outcome.cause)
      if (outcome.kind === 'refused') return fail(outcome.error)
      if (outcome.kind === 'hit') counts.hits++
      else if (outcome.kind === 'miss') counts.misses++
      // While tombstones are owed it is not up.
      if (owed === 0) become('up')
    },
    connected(name) {
      dialect = name
      counts.connections++
    },
    owe(lacking) {
      owed = lacking
      if (owed === 0) become('up')
    },
    hold: fail,
    take() {
      const taken = { node, state, owed, dialect, ...counts, failures: { ...failures }, longestMilliseconds }
      longestMilliseconds = 0
      return taken
    },
  }
}
