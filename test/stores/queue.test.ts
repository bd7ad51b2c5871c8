import { expect, test } from 'vitest'
import { createQueue } from '../../src/stores/queue.ts'

/** A promise that the test resolves when it wants to. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

test('runs for one key begin one after another, in the order in which they were asked for', async () => {
  const queue = createQueue()
  const [first, steps] = [gate(), [] as string[]]
  const runs = [
    queue('a', async () => {
      steps.push('first begins')
      await first.opened
      steps.push('first ends')
    }),
    queue('a', async () => void steps.push('second')),
    queue('a', async () => void steps.push('third')),
  ]
  expect(steps).toEqual(['first begins'])
  first.open()
  await Promise.all(runs)
  expect(steps).toEqual(['first begins', 'first ends', 'second', 'third'])
})

test('a key is not held up by a run for another key that never ends', async () => {
  const queue = createQueue()
  void queue('a', () => new Promise(() => undefined))
  expect(await queue('b', async () => 'done')).toBe('done')
})

test('a run that rejects or throws is told to its own caller alone, and the next one begins', async () => {
  const queue = createQueue()
  const thrown = queue('a', () => {
    throw new Error('thrown')
  })
  const rejected = queue('a', () => Promise.reject(new Error('rejected')))
  const after = queue('a', async () => 'done')
  await expect(thrown).rejects.toThrow('thrown')
  await expect(rejected).rejects.toThrow('rejected')
  expect(await after).toBe('done')
})

test('a run may ask for another key and wait for it', async () => {
  const queue = createQueue()
  expect(await queue('a', () => queue('b', async () => 'inner'))).toBe('inner')
})
