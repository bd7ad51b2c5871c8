// Time as this process was given it. On a machine that does something else, a process may be stopped for a tenth of a
// second at any moment, and no deadline of ours holds then. What a test may demand is a deadline in the time in which
// the process ran or could have run. On an idle machine that is the time of the clock.

export interface ProcessClock {
  /** Milliseconds since the start, without those in which this process was not run. */
  now(): number
  stop(): void
}

/** What an event loop that is given its turns may be late. A longer gap counts only as far as we used the processor. */
const tickMilliseconds = 5

/** @example const clock = startProcessClock(); await run(); expect(clock.now()).toBeLessThan(300); clock.stop() */
export function startProcessClock(): ProcessClock {
  let milliseconds = 0
  let last = performance.now()
  let lastCpu = cpuMilliseconds()

  function advance(): void {
    const [at, cpu] = [performance.now(), cpuMilliseconds()]
    const gap = at - last
    milliseconds += Math.min(gap, Math.max(tickMilliseconds, cpu - lastCpu))
    last = at
    lastCpu = cpu
  }

  const timer = setInterval(advance, 1)
  return {
    now() {
      advance()
      return milliseconds
    },
    stop: () => clearInterval(timer),
  }
}

/** Runs and gives what came of it, and how many milliseconds of this process it took. */
export async function inProcessTime<Result>(
  run: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly milliseconds: number }> {
  const clock = startProcessClock()
  try {
    const result = await run()
    return { result, milliseconds: clock.now() }
  } finally {
    clock.stop()
  }
}

function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
