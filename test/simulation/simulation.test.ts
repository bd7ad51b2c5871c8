// Whole stories of tabs, workers, two servers and a store, made up from a seed. All of it is checked by an oracle that
// keeps its own books. With SIMULATION_SEEDS=10000 so many other seeds are run instead of the usual ones, from
// SIMULATION_FIRST or a random one on; SIMULATION_SEED=1234 runs one, and prints its story.
import { describe, expect, test } from 'vitest'
import { counts, isLong } from '../support/counts.ts'
import { runSeed } from './run.ts'
import { runMany } from './threads.ts'
import type { Outcome } from './thread.ts'
import type { Broken } from './world.ts'

const { SIMULATION_SEED: one, SIMULATION_SEEDS: many, SIMULATION_FIRST: given } = process.env
/** Milliseconds after which a seed hangs: a hundred times what one needs on an idle machine. */
const patience = 2000
/** Stories that are new in each long run. */
const freshSeeds = 2000
const first = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)

/** What is wrong, with what it takes to see it again. */
function complaintsOf(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes
    .filter(({ complaints }) => complaints.length > 0)
    .map(({ seed, complaints }) => `SIMULATION_SEED=${seed}: ${complaints.slice(0, 3).join('; ')}`)
}

if (one === undefined) {
  // The same ones with each run of the tests: whoever changes a word of the docs must not meet somebody else's fault.
  const [from, count] = many === undefined ? [0, counts.simulationSeeds] : [first, Number(many)]

  test(
    `nothing is lost, doubled, leaked or stuck in ${count.toLocaleString('en')} stories`,
    async ({ annotate }) => {
      const started = performance.now()
      const outcomes = await runMany({ first: from, count })
      const seconds = (performance.now() - started) / 1000
      await annotate(`seeds ${from} to ${from + count - 1}: ${Math.round(count / seconds)} a second`)
      expect(outcomes).toHaveLength(count)
      expect(complaintsOf(outcomes)).toEqual([])
    },
    count * patience,
  )

  // Other ones each time, so that the rule and not the case is what holds. The first is in the test's name.
  test.runIf(isLong && many === undefined)(
    `nothing is lost, doubled, leaked or stuck in ${freshSeeds} stories that nobody has seen, from ${first} on`,
    async () => {
      expect(complaintsOf(await runMany({ first, count: freshSeeds }))).toEqual([])
    },
    freshSeeds * patience,
  )

  test(
    'the same seed tells the same story, to the byte',
    async () => {
      expect(await runMany({ first: 0, count: 20 })).toEqual(await runMany({ first: 0, count: 20 }))
    },
    40 * patience,
  )

  describe('a rule that is broken on purpose is noticed within 300 stories', () => {
    const rules: readonly { readonly broken: Broken; readonly rule: string }[] = [
      { broken: 'relaxed-seal', rule: 'a batch is sealed in a strict transaction before it is sent' },
      { broken: 'no-hash', rule: 'the server compares the hash of a batch that comes again' },
      { broken: 'early-delete', rule: 'a batch is kept until the server has answered' },
    ]
    test.for(rules)(
      'a story shows within 300 that this rule is broken: $rule',
      { timeout: 300 * patience },
      async ({ broken }, { annotate }) => {
        const outcomes = await runMany({ first: 0, count: 300, broken, stopsAtFirst: true })
        await annotate(
          `${broken}: found after ${outcomes.length} stories: ${complaintsOf(outcomes)[0] ?? 'never'}`,
        )
        expect(complaintsOf(outcomes)).not.toEqual([])
      },
    )
  })
} else {
  test(`the story of seed ${one}`, async () => {
    const { lines, complaints } = await runSeed({ seed: Number(one), isVerbose: true })
    console.log(lines.join('\n'))
    expect(complaints).toEqual([])
  })
}
