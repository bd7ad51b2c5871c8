// The lock that saves work over tabs: a holder that hangs must hang nobody, and not twice.
import { expect, test } from 'vitest'
import { withLock } from '../../../src/mirror/tabs/lock.ts'

const never = new Promise<never>(() => undefined)

test('a holder that hangs loses the lock to the first that has waited in vain, and the next wait for that one', async () => {
  void withLock('hangs', () => never)
  const order: string[] = []
  const started = performance.now()
  const second = withLock(
    'hangs',
    async () => {
      order.push('second begins')
      await new Promise((resolve) => setTimeout(resolve, 50))
      order.push('second ends')
    },
    50,
  )
  await expect.poll(() => order).toContain('second begins')
  await withLock('hangs', async () => void order.push('third'))
  await second
  expect(order).toEqual(['second begins', 'second ends', 'third'])
  expect(performance.now() - started).toBeLessThan(3000)
})

test('who has lost the lock goes on, and ends as its work does', async () => {
  let finish = (): void => undefined
  const slow = withLock('slow', () => new Promise<string>((resolve) => (finish = () => resolve('done'))))
  const failing = new Promise<never>((_resolve, reject) => setTimeout(reject, 200, new Error('its own')))
  await withLock('slow', async () => undefined, 20)
  finish()
  expect(await slow).toBe('done')
  const fails = withLock('fails', () => failing)
  await withLock('fails', async () => undefined, 20)
  await expect(fails).rejects.toThrow('its own')
})

test('work that fails under the lock is not done again', async () => {
  let runs = 0
  const work = async (): Promise<never> => {
    runs++
    throw new Error('no')
  }
  await expect(withLock('failing', work)).rejects.toThrow('no')
  expect(runs).toBe(1)
})
