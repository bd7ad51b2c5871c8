// Measures on a machine that also does other work: all contestants take turns, many times, and each is compared with the
// first one of its own round. The median of these ratios counts.

export interface Contestant {
  readonly name: string
  /** Runs one operation, or a small number of them; throws when the answer was wrong. */
  readonly run: () => Promise<void>
}

type Ratio = readonly [median: number, lowest: number, highest: number]

export interface Result {
  readonly name: string
  /** Operations in a second: the median of the rounds. */
  readonly rate: number
  /** Rate divided by that of the first contestant in the same round: median, lowest, highest. */
  readonly ratio: Ratio
  /** The same by the CPU time of this process, which other work on the machine disturbs less. */
  readonly cpuRatio: Ratio
  /** Why it gave up, if it did. */
  readonly failure: string | undefined
}

export interface Options {
  readonly rounds: number
  readonly milliseconds: number
  readonly inFlight: number
}

export async function measure(contestants: readonly Contestant[], options: Options): Promise<Result[]> {
  const speeds = new Map<Contestant, Speed[]>(contestants.map((one) => [one, []]))
  const failures = new Map<Contestant, string>()
  for (let round = -1; round < options.rounds; round++) {
    for (const contestant of contestants) {
      if (failures.has(contestant)) continue
      try {
        // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
        const speed = await within(speedOf(contestant, options), options.milliseconds * 10 + 5000)
        // The first round only warms up.
        if (round >= 0) speeds.get(contestant)?.push(speed)
      } catch (error) {
        failures.set(contestant, error instanceof Error ? error.message : String(error))
      }
    }
  }
  const [first] = contestants
  const floor = (first && speeds.get(first)) ?? []
  return contestants.map((one) => {
    const own = speeds.get(one) ?? []
    return {
      name: one.name,
      rate: median(own.map(({ rate }) => rate)),
      ratio: ratioOf(own.map(({ rate }, round) => rate / (floor[round]?.rate ?? Number.NaN))),
      cpuRatio: ratioOf(own.map(({ perCpu }, round) => perCpu / (floor[round]?.perCpu ?? Number.NaN))),
      failure: failures.get(one),
    }
  })
}

interface Speed {
  /** Operations in a second, and in a second of CPU time. */
  readonly rate: number
  readonly perCpu: number
}

function ratioOf(values: readonly number[]): Ratio {
  const sorted = values.toSorted((one, other) => one - other)
  return [median(sorted), sorted[0] ?? Number.NaN, sorted.at(-1) ?? Number.NaN]
}

async function speedOf({ run }: Contestant, { milliseconds, inFlight }: Options): Promise<Speed> {
  const until = performance.now() + milliseconds
  let count = 0
  async function work(): Promise<void> {
    while (performance.now() < until) {
      // oxlint-disable-next-line no-await-in-loop -- as many at once as there are workers
      await run()
      count++
    }
  }
  const [started, computing] = [performance.now(), process.cpuUsage()]
  await Promise.all(Array.from({ length: inFlight }, work))
  const { user, system } = process.cpuUsage(computing)
  return { rate: (count * 1000) / (performance.now() - started), perCpu: (count * 1e6) / (user + system) }
}

async function within<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it did not answer any more')), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[sorted.length % 2 === 1 ? middle : middle - 1],
    sorted[middle],
  ]
  return (low + high) / 2
}

/** Formats the results as a table for docs/benchmarks.md. */
export function toTable(title: string, results: readonly Result[]): string {
  const show = ([middle, low, high]: Ratio): string =>
    `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`
  const lines = results.map(({ name, rate, ratio, cpuRatio, failure }) =>
    failure === undefined
      ? `| ${name} | ${Math.round(rate).toLocaleString('en')} | ${show(ratio)} | ${show(cpuRatio)} |`
      : `| ${name} | ${failure} | | |`,
  )
  const head = [`| ${title} | a second | to the floor | the same by CPU time |`, '|---|---|---|---|']
  return [...head, ...lines].join('\n')
}
