// Virtual time. One task at a time, each followed by all microtasks that it caused: so whatever runs between two
// tasks belongs to the context of the first, and nothing but the seed decides the order.
import { type Trace, createTrace } from './trace.ts'

/** A page, a worker or a server process: what can be killed in one piece. */
export interface Context {
  readonly name: string
  /** What its globals lead to; undefined for a server. */
  readonly realm: object | undefined
  isAlive: boolean
  /** Its tasks wait until then: a throttled tab, a process that is paused. */
  stalledUntil: number
}

export interface Task {
  readonly context: Context | undefined
  readonly label: string
  readonly run: () => void
  at: number
  order: number
  isCancelled: boolean
}

export interface Scheduler {
  /** Milliseconds since the seed began. */
  readonly now: number
  readonly current: Context | undefined
  readonly trace: Trace
  /** Runs `run` after `delay` milliseconds as a task of `context`; never, if that is dead by then. */
  after(delay: number, context: Context | undefined, task: { label: string; run: () => void }): Task
  /** Runs what there is, until nothing is left, or until one more task would be more than `most`. */
  settle(most: number): Promise<'quiet' | 'busy'>
}

export function createScheduler(isVerbose: boolean): Scheduler {
  const heap: Task[] = []
  let now = 0
  let orders = 0
  let current: Context | undefined
  const trace = createTrace(isVerbose, () => `${(now / 1000).toFixed(3)} ${current?.name ?? '-'}`)

  function take(): Task | undefined {
    for (let task = pop(heap); task !== undefined; task = pop(heap)) {
      if (task.isCancelled || task.context?.isAlive === false) continue
      const until = task.context?.stalledUntil ?? 0
      if (until <= task.at) return task
      task.at = until
      task.order = ++orders
      push(heap, task)
    }
    return undefined
  }

  function settle(most: number): Promise<'quiet' | 'busy'> {
    let left = most
    return new Promise((resolve, reject) => {
      function step(): void {
        const task = left-- > 0 ? take() : undefined
        if (task === undefined) {
          current = undefined
          resolve(left >= 0 ? 'quiet' : 'busy')
          return
        }
        now = task.at
        current = task.context
        trace.fold(task.label)
        try {
          task.run()
        } catch (error) {
          reject(error)
          return
        }
        // Node runs a tick only when no microtask is left.
        queueMicrotask(next)
      }
      const next = (): void => process.nextTick(step)
      next()
    })
  }

  return {
    get now() {
      return now
    },
    get current() {
      return current
    },
    trace,
    after(delay, context, { label, run }) {
      const at = now + Math.max(0, delay)
      const task = { context, label, run, at, order: ++orders, isCancelled: false }
      push(heap, task)
      return task
    },
    settle,
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Task[], task: Task): void {
  let index = heap.length
  heap.push(task)
  while (index > 0) {
    const above = (index - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || !isBefore(task, parent)) break
    heap[index] = parent
    index = above
  }
  heap[index] = task
}

function pop(heap: Task[]): Task | undefined {
  const [first] = heap
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let index = 0
  for (;;) {
    const left = heap[2 * index + 1]
    const right = heap[2 * index + 2]
    if (left === undefined) break
    const isRight = right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (!isBefore(child, last)) break
    heap[index] = child
    index = 2 * index + (isRight ? 2 : 1)
  }
  heap[index] = last
  return first
}
