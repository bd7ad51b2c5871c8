// Measuring on a machine that does something else as well: all contestants in turn, many times, and each compared with
// the first one of its own round. What counts is the median of these ratios.

export interface Contestant {
  readonly name: string
  /** Runs one operation, or a small number of them; throws when the answer was wrong. */
  readonly run: () => Promise<void>
}

export interface Result {
  readonly name: string
  /** Operations in a second: the median of the rounds. */
  readonly rate: number
  /** To the first contestant, in the same round: median, lowest, highest. */
  readonly ratio: readonly [median: number, lowest: number, highest: number]
  /** Why it gave up, if it did. */
  readonly failure: string | undefined
}

export interface Options {
  readonly rounds: number
  readonly milliseconds: number
  readonly inFlight: number
}

export async function measure(contestants: readonly Contestant[], options: Options): Promise<Result[]> {
  const rates = new Map<Contestant, number[]>(contestants.map((one) => [one, []]))
  const failures = new Map<Contestant, string>()
  for (let round = -1; round < options.rounds; round++) {
    for (const contestant of contestants) {
      if (failures.has(contestant)) continue
      try {
        // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
        const rate = await within(ratePerSecond(contestant, options), options.milliseconds * 10 + 5000)
        // The first round only warms up.
        if (round >= 0) rates.get(contestant)?.push(rate)
      } catch (error) {
        failures.set(contestant, error instanceof Error ? error.message : String(error))
      }
    }
  }
  const [first] = contestants
  const floor = (first && rates.get(first)) ?? []
  return contestants.map((one) => {
    const own = rates.get(one) ?? []
    const ratios = own.map((rate, round) => rate / (floor[round] ?? Number.NaN)).toSorted((a, b) => a - b)
    const ratio = [median(ratios), ratios[0] ?? Number.NaN, ratios.at(-1) ?? Number.NaN] as const
    return { name: one.name, rate: median(own), ratio, failure: failures.get(one) }
  })
}

async function ratePerSecond({ run }: Contestant, { milliseconds, inFlight }: Options): Promise<number> {
  const until = performance.now() + milliseconds
  let count = 0
  async function work(): Promise<void> {
    while (performance.now() < until) {
      // oxlint-disable-next-line no-await-in-loop -- as many at once as there are workers
      await run()
      count++
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: inFlight }, work))
  return (count * 1000) / (performance.now() - started)
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

/** As a table for docs/benchmarks.md. */
export function toTable(title: string, results: readonly Result[]): string {
  const lines = results.map(({ name, rate, ratio: [middle, low, high], failure }) =>
    failure === undefined
      ? `| ${name} | ${Math.round(rate).toLocaleString('en')} | ${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)}) |`
      : `| ${name} | ${failure} | |`,
  )
  return [`| ${title} | a second | to the floor |`, '|---|---|---|', ...lines].join('\n')
}
