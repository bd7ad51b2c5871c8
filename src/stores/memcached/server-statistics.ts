// What one node did, counted as it happens, and whether it is up. Nothing is measured for its own sake: a few
// additions for each operation, and whoever wants the numbers asks.
import { channel } from 'node:diagnostics_channel'
import type { ConnectionWatch } from './connection.ts'
import type { Dialect } from './dialect.ts'
import { type MemcachedFailureCode, MemcachedError, isRefusal } from './memcached-error.ts'
import type { ServerFigures } from './server-figures.ts'

/** What `session-mirror:node` tells, when a node's state changes. */
export interface NodeEvent {
  readonly node: string
  readonly state: NodeState
  /** Tombstones that it has not got. */
  readonly owed: number
}

/** `held`: it is back, and not believed before it has the tombstones of what ended meanwhile. */
export type NodeState = 'up' | 'down' | 'held'

/** One node, as this process sees it. Counts are since the store was made; milliseconds as they pass here. */
export interface NodeStats extends NodeEvent {
  /** What the connection speaks, or spoke last; undefined before the first one. */
  readonly dialect: Dialect['name'] | undefined
  /** Made so far: more than one says how often it was lost. */
  readonly connections: number
  readonly inFlight: number
  /** That ended, failures included. */
  readonly operations: number
  readonly hits: number
  readonly misses: number
  /** By kind: `timeout`, `cut`, `resting`, `out-of-memory` … */
  readonly failures: Readonly<Partial<Record<MemcachedFailureCode, number>>>
  /** Of all operations together; divided by `operations`, the mean. */
  readonly milliseconds: number
  /** The longest since `stats` was asked last. */
  readonly longestMilliseconds: number
  /** What the server says of itself; undefined when it does not answer or is a proxy. */
  readonly server: ServerFigures | undefined
}

export interface ServerStatistics extends ConnectionWatch {
  /** How many tombstones the node has not got now. */
  owe(owed: number): void
  /** An operation was held back for lack of them. */
  hold(cause: MemcachedError): void
  take(): Omit<NodeStats, 'server'>
}

const health = channel('session-mirror:node')

export function createServerStatistics(node: string): ServerStatistics {
  let state: NodeState = 'up'
  let owed = 0
  let dialect: Dialect['name'] | undefined
  const counts = { connections: 0, inFlight: 0, operations: 0, hits: 0, misses: 0, milliseconds: 0 }
  let longestMilliseconds = 0
  const failures: Partial<Record<MemcachedFailureCode, number>> = {}

  function become(next: NodeState): void {
    if (next === state) return
    state = next
    if (health.hasSubscribers) health.publish({ node, state, owed } satisfies NodeEvent)
  }

  function fail(cause: unknown): void {
    const code = cause instanceof MemcachedError ? cause.code : 'protocol'
    failures[code] = (failures[code] ?? 0) + 1
    // One that is full is there, and what we do not send is not its fault.
    const isThere = isRefusal(cause) || code === 'overload' || code === 'closed'
    if (!isThere && state !== 'held') become(code === 'held' ? 'held' : 'down')
  }

  return {
    began() {
      counts.inFlight++
    },
    ended(outcome, took) {
      counts.inFlight--
      counts.operations++
      counts.milliseconds += took
      if (took > longestMilliseconds) longestMilliseconds = took
      if (outcome.kind === 'unavailable') return fail(outcome.cause)
      if (outcome.kind === 'refused') return fail(outcome.error)
      if (outcome.kind === 'hit') counts.hits++
      else if (outcome.kind === 'miss') counts.misses++
      // One that owes is not up before it has paid.
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
      const longest = longestMilliseconds
      longestMilliseconds = 0
      return {
        node,
        state,
        owed,
        dialect,
        ...counts,
        failures: { ...failures },
        longestMilliseconds: longest,
      }
    },
  }
}
