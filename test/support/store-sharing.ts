// What every store on a disk must stand: processes that share it, and processes that are killed.
import { expect, test } from 'vitest'
import type { Store } from '../../src/stores/store.ts'
import { counts } from './counts.ts'
import { type Running, inProcesses, killInTheMiddle, newDirectory, startChild } from './store-processes.ts'
import { sleep } from './waiting.ts'

export interface Sharing {
  /** As the child process calls it. */
  readonly kind: 'sqlite' | 'file'
  readonly placeIn: (directory: string) => string
  readonly open: (place: string) => Store
  /** Throws if the storage is damaged. */
  readonly inspect?: (place: string) => void
}

const bytes = (number: number): Uint8Array => new TextEncoder().encode(String(number).padEnd(2000))

/** Declares the tests. */
export function sharingTests({ kind, placeIn, open, inspect = () => undefined }: Sharing): void {
  async function numberAt(store: Store, key: string): Promise<number> {
    const read = await store.read(key, null)
    if (read.kind === 'hit') return Number(new TextDecoder().decode(read.value))
    if (read.kind === 'miss') return 0
    throw read.cause
  }

  test('of fifty creates in each of two processes one stores', async () => {
    const place = placeIn(newDirectory())
    for (const key of ['one', 'two', 'three']) {
      const all = await inProcesses<{ kinds: string[] }>(2, [kind, place, 'create', key, '50'])
      const kinds = all.flatMap((one) => one.kinds)
      expect(kinds.filter((one) => one === 'stored').length).toBe(1)
      expect(kinds.filter((one) => one === 'exists').length).toBe(99)
    }
  })

  test(`two processes that add ${counts.additionsOfProcesses} each lose none`, async () => {
    const place = placeIn(newDirectory())
    const store = open(place)
    await store.create('sum', bytes(0), 600)
    const args = [kind, place, 'increment', 'sum', String(counts.additionsOfProcesses)]
    const all = await inProcesses<{ stored: number; unavailable: string[] }>(2, args)
    expect(all.map((one) => one.stored)).toEqual([counts.additionsOfProcesses, counts.additionsOfProcesses])
    expect(all.flatMap((one) => one.unavailable)).toEqual([])
    expect(await numberAt(store, 'sum')).toBe(2 * counts.additionsOfProcesses)
    await store.close()
  })

  test(`killed ${counts.killedWriters} times in the middle of writing, every acknowledged write is there`, async () => {
    const place = placeIn(newDirectory())
    let acknowledged = 0
    for (let round = 0; round < counts.killedWriters; round++) {
      const lines = await killInTheMiddle([kind, place, 'write', `round${round}`], 4 + Math.random() * 60)
      const last = new Map(lines.map((line) => line.split(' ') as [string, string]))
      expect(lines.filter((line) => line.startsWith('unavailable'))).toEqual([])
      acknowledged += lines.length
      const store = open(place)
      for (const [key, number] of last) {
        // One more may have been stored and not been told.
        const stored = await numberAt(store, key)
        expect([Number(number), Number(number) + 1]).toContain(stored)
        expect((await store.end(key, bytes(stored), 600)).kind).toBe('stored')
      }
      await store.close()
      inspect(place)
    }
    expect(acknowledged).toBeGreaterThan(counts.killedWriters * 3)
  })

  test('processes on one key, killed and stopped in the middle: nobody stays blocked and no two win', async () => {
    const place = placeIn(newDirectory())
    const store = open(place)
    await store.create('race', bytes(0), 600)
    const args = [kind, place, 'race', 'race']
    const survivor = startChild(args)
    const stopped = startChild(args)
    const all: Running[] = [survivor, stopped]
    for (let round = 0; round < counts.killedWriters; round++) {
      const victim = startChild(args)
      all.push(victim)
      await expect.poll(() => victim.said(), { interval: 2 }).not.toBe('')
      await sleep(Math.random() * 30)
      victim.child.kill('SIGKILL')
      const before = survivor.said().length
      // Eight times and more it was its turn again.
      await expect
        .poll(() => survivor.said().length, { interval: 2 })
        .toBeGreaterThan(before + 8 * 'stored\n'.length)
      if (round % 10 !== 0) continue
      stopped.child.kill('SIGSTOP')
      await sleep(100)
      stopped.child.kill('SIGCONT')
    }
    survivor.child.kill('SIGKILL')
    stopped.child.kill('SIGKILL')
    const lines = (await Promise.all(all.map((one) => one.ended))).flatMap((said) => said.split('\n'))
    const stored = lines.filter((line) => line === 'stored').length
    const number = await numberAt(store, 'race')
    expect(lines.filter((line) => line.startsWith('unavailable'))).toEqual([])
    // Each of those that were killed may have stored one more than it could tell.
    expect(number).toBeGreaterThanOrEqual(stored)
    expect(number).toBeLessThanOrEqual(stored + all.length)
    expect(stored).toBeGreaterThan(counts.killedWriters * 7)
    const read = await store.read('race', 600)
    const token = read.kind === 'hit' ? read.token : ''
    expect((await store.replace('race', bytes(0), { token, ttlSeconds: 600 })).kind).toBe('stored')
    await store.close()
    inspect(place)
  })
}
