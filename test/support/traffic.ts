// Writers that never pause, each counting up in a session of its own: what came of it when something was killed.
import type { Store } from '../../src/stores/store.ts'
import { bytes, text } from './store-helpers.ts'
import { sleep, until } from './waiting.ts'

export interface Tally {
  readonly served: number
  readonly refused: number
  /** Answers with somebody else's value, or with none. */
  readonly wrong: number
  /** Acknowledged changes that a later answer lacked. */
  readonly lost: number
  /** By the clock that was given: the last refusal, and the first answer after it. */
  readonly lastRefusedAt: number
  readonly nextServedAt: number
}

export interface Traffic {
  /** Resolves when so many more reads have been served. */
  untilServed(reads: number): Promise<void>
  stop(): Promise<Tally>
}

/** Creates the sessions, then changes each of them as fast as the store takes it. */
export async function startTraffic(
  store: Store,
  keys: readonly string[],
  now: () => number = () => performance.now(),
): Promise<Traffic> {
  const acknowledged = new Map<string, number>()
  for (const key of keys) {
    // A busy machine may let a first answer come too late: it may be there all the same then.
    await until(`${key} is there`, async () => {
      await store.create(key, bytes(`${key} 0`), 60)
      return (await store.read(key, 60)).kind === 'hit'
    })
    acknowledged.set(key, 0)
  }
  const run = { isOn: true }
  const tally = { served: 0, refused: 0, wrong: 0, lost: 0, lastRefusedAt: 0, nextServedAt: 0 }

  function refuse(): Promise<void> {
    tally.refused++
    tally.lastRefusedAt = now()
    return sleep(5)
  }

  /** The count in the session, or undefined when the store does not answer. */
  async function look(key: string): Promise<number | undefined> {
    const read = await store.read(key, 60)
    if (read.kind === 'unavailable') return undefined
    const [owner, count] = text(read).split(' ')
    return owner === key ? Number(count) : -1
  }

  async function write(key: string): Promise<void> {
    while (run.isOn) {
      const read = await store.read(key, 60)
      if (read.kind === 'unavailable') {
        await refuse()
        continue
      }
      if (tally.nextServedAt <= tally.lastRefusedAt) tally.nextServedAt = now()
      const [owner, count = ''] = text(read).split(' ')
      tally.served++
      if (read.kind === 'miss' || owner !== key) {
        tally.wrong++
        await sleep(5)
        continue
      }
      tally.lost += Math.max(0, (acknowledged.get(key) ?? 0) - Number(count))
      acknowledged.set(key, Number(count))
      const next = Number(count) + 1
      const value = bytes(`${key} ${next}`)
      const written = await store.replace(key, value, { token: read.token, ttlSeconds: 60 })
      if (written.kind === 'stored') acknowledged.set(key, next)
    }
  }

  const writers = keys.map(write)
  return {
    async untilServed(reads) {
      const wanted = tally.served + reads
      await until(`${reads} more reads are served`, () => tally.served >= wanted)
    },
    async stop() {
      run.isOn = false
      await Promise.all(writers)
      for (const [key, count] of acknowledged) {
        let found = await look(key)
        for (let tries = 0; found === undefined && tries < 200; tries++) {
          await sleep(20)
          found = await look(key)
        }
        tally.lost += Math.max(0, count - (found ?? 0))
      }
      return tally
    },
  }
}
