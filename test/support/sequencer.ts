// The order of the test files: the long ones first, and those that drive Chromium among the others, so that all cores are
// busy to the end and few browsers run at once.
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Of the project `node`: what takes more than a few seconds, longest first. */
const longFiles = [
  'simulation/simulation',
  'stores/file',
  'stores/sqlite',
  'routes/fuzz',
  'memcached/pool',
  'memcached/outages',
  'memcached/cut-connections',
  'memcached/yrmcds',
]

/** Of the project `e2e`. */
const longJourneys = ['worker.test', 'worker-lifecycle', 'killed-', 'examples', 'doctor']

const rankIn = (names: readonly string[], { moduleId }: TestSpecification): number => {
  const rank = names.findIndex((name) => moduleId.includes(name))
  return rank === -1 ? names.length : rank
}

export class MixedSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- this is the sequencer's own method
    const sorted = await super.sort(files)
    const isJourney = ({ project }: TestSpecification): boolean => project.name === 'e2e'
    const journeys = sorted
      .filter(isJourney)
      .toSorted((a, b) => rankIn(longJourneys, a) - rankIn(longJourneys, b))
    const others = sorted
      .filter((file) => !isJourney(file))
      .toSorted((a, b) => rankIn(longFiles, a) - rankIn(longFiles, b))
    // One of them to two others, until there are none left.
    return [
      ...journeys.flatMap((journey, index) => [journey, ...others.slice(2 * index, 2 * index + 2)]),
      ...others.slice(2 * journeys.length),
    ]
  }
}
