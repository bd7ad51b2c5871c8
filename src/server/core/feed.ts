// How a commit wakes the event streams of its session. A wake carries nothing, because a stream that is woken reads the
// store. So a feed between processes can lose, repeat or invent wakes, and nobody sees a wrong state.

/**
 * Wakes listeners of a topic: in this process, or in every process when it is built on something that they share.
 * - `publish` must not throw and need not wait. Lost: the streams find out at their next heartbeat.
 * - `subscribe` gives the way to stop. Topics are up to 43 characters of `A-Za-z0-9_-`, and say nothing secret.
 * @example
 * const feed: Feed = {
 *   publish: (topic) => void redis.publish('sessions', topic),
 *   subscribe: (topic, wake) => onMessage('sessions', (message) => message === topic && wake()),
 * }
 */
export interface Feed {
  /** Wakes all listeners of a topic. */
  publish(topic: string): void
  /** Calls `wake` at each `publish` of the topic, until the function that it returns is called. */
  subscribe(topic: string, wake: () => void): () => void
}

/**
 * A feed among the streams of one process: the default, and what a feed between processes wakes its own streams with.
 * @example const local = localFeed()
 * await subscriber.subscribe('sessions', (topic) => local.publish(topic))
 */
export function localFeed(): Feed {
  const listeners = new Map<string, Set<() => void>>()
  return {
    publish(topic) {
      for (const wake of listeners.get(topic) ?? []) wake()
    },
    subscribe(topic, wake) {
      const woken = listeners.get(topic) ?? new Set()
      // Wrapped: one function may be subscribed twice.
      const own = (): void => wake()
      woken.add(own)
      listeners.set(topic, woken)
      return () => {
        woken.delete(own)
        if (woken.size === 0 && listeners.get(topic) === woken) listeners.delete(topic)
      }
    },
  }
}
