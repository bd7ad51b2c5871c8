// The one source of randomness of a seed. Everything that is decided by chance asks it, in an order that the
// scheduler fixes, so that a seed is one story.
import { randomOf } from '../support/random.ts'

export interface Chance {
  /** From 0 to below 1. */
  next(): number
  /** Whole, from `from` to `to`, both included. */
  whole(from: number, to: number): number
  /** True once in `1 / share`. */
  of(share: number): boolean
  pick<T>(list: readonly T[]): T | undefined
  /** One of the names, as often as its weight says. */
  weighted<N extends string>(weights: Readonly<Record<N, number>>): N
  bytes(array: Uint8Array): void
}

export function createChance(seed: number): Chance {
  // Neighbouring seeds begin with neighbouring numbers, and so do their stories, without the stir.
  const next = randomOf(Math.imul(seed + 1, 0x9e3779b1) ^ (seed >>> 16))
  const whole = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    whole,
    of: (share) => next() < share,
    pick: (list) => list[whole(0, list.length - 1)],
    weighted(weights) {
      const entries = Object.entries<number>(weights) as [keyof typeof weights, number][] // Its own names.
      let rest = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        rest -= weight
        if (rest < 0) return name
      }
      throw new Error('There is nothing to choose from.')
    },
    bytes(array) {
      for (let index = 0; index < array.length; index++) array[index] = whole(0, 255)
    },
  }
}
