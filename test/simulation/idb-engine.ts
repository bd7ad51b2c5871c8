// How IndexedDB runs transactions over one disk: those of overlapping scope one after another, in the order in which
// they were begun, over all tabs and the worker; each commits by itself once its page asks for nothing more.
import type { Chance } from './chance.ts'
import { copy } from './copy.ts'
import type { Disk } from './disk.ts'
import { type Engine, SimDatabase, SimRequest, type SimTransaction } from './idb-objects.ts'
import type { Context, Scheduler } from './scheduler.ts'

/** `full`: nothing can be written. `dead`: nothing can be read or opened. `slow`: opening is answered when that is over. */
export type DiskTrouble = 'none' | 'full' | 'dead' | 'slow'

export interface IdbEngine {
  open(): SimRequest
  deleteDatabase(): SimRequest
  trouble: DiskTrouble
  /** The transactions of a context that has died: those that were being committed may still be, the others are not. */
  kill(context: Context): void
  /** The power is cut: nothing that was under way happens. */
  cutPower(): void
}

interface Tools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly disk: Disk
  /** After each commit. */
  readonly onCommit: () => void
}

function read(disk: Disk, transaction: SimTransaction, name: string): ReadonlyMap<string, unknown> {
  const table = disk.tables.get(name) ?? new Map<string, unknown>()
  const own = transaction.writes.filter(([written]) => written === name)
  if (own.length === 0) return table
  const result = new Map(table)
  for (const [, key, value] of own) {
    if (value === undefined) result.delete(key)
    else result.set(key, value)
  }
  return result
}

export function createIdbEngine({ scheduler, chance, disk, onCommit }: Tools): IdbEngine {
  let running: SimTransaction[] = []
  let trouble: DiskTrouble = 'none'
  let waiting: { readonly context: Context | undefined; readonly run: () => void }[] = []
  let connections: SimDatabase[] = []
  /** IndexedDB answers within a millisecond or two, and sometimes much later. */
  const delay = (): number => (chance.of(0.02) ? chance.whole(5, 400) : chance.next() * 2)

  const engine: Engine = {
    begin(transaction) {
      running.push(transaction)
      scheduler.after(delay(), undefined, { label: 'idb begin', run: advance })
    },
    commit(transaction) {
      transaction.isToldToCommit = true
    },
    abort(transaction) {
      if (transaction.state === 'finished') return
      finish(transaction)
      tell(transaction, 'idb abort', () => transaction.dispatch('abort'))
    },
    read: (transaction, name) => read(disk, transaction, name),
    createTable: () => undefined,
    get isDead() {
      return trouble === 'dead'
    },
    // The engine makes a table with its first row.
    tables: () => ['mirror', 'outbox'],
  }

  /** Events of one connection come in the order in which they happened. */
  function tell({ database }: SimTransaction, label: string, run: () => void): void {
    database.nextAt = Math.max(database.nextAt, scheduler.now + delay())
    scheduler.after(database.nextAt - scheduler.now, database.context, { label, run })
  }

  /** Starts whatever is not behind another one of its scope. */
  function advance(): void {
    for (const [index, transaction] of running.entries()) {
      if (transaction.state !== 'waiting') continue
      if (running.slice(0, index).some((earlier) => isInTheWay(earlier, transaction))) continue
      transaction.state = 'active'
      if (transaction.isToldToCommit) close(transaction)
      else step(transaction)
    }
  }

  function step(transaction: SimTransaction): void {
    tell(transaction, 'idb step', () => {
      if (transaction.state !== 'active') return
      const commands = execute(transaction)
      if (commands.length === 0 || transaction.isToldToCommit) close(transaction)
      else step(transaction)
      for (const { request } of commands) request.dispatch('success')
    })
  }

  function execute(transaction: SimTransaction): SimTransaction['commands'] {
    const { commands } = transaction
    transaction.commands = []
    for (const { request, run } of commands) request.result = copy(run())
    return commands
  }

  /** From here on the page is not needed any more. */
  function close(transaction: SimTransaction): void {
    transaction.state = 'committing'
    const run = (): void => {
      if (transaction.state !== 'committing') return
      const commands = execute(transaction)
      const isRefused = trouble === 'full' && transaction.writes.some(([, , value]) => value !== undefined)
      if (isRefused || (trouble === 'dead' && transaction.mode === 'readwrite')) {
        transaction.error = new DOMException(
          'made to fail',
          isRefused ? 'QuotaExceededError' : 'UnknownError',
        )
        finish(transaction)
        return tell(transaction, 'idb abort', () => transaction.dispatch('abort'))
      }
      if (transaction.mode === 'readwrite') disk.commit(transaction.writes, transaction.durability)
      finish(transaction)
      tell(transaction, 'idb complete', () => {
        for (const { request } of commands) request.dispatch('success')
        transaction.dispatch('complete')
      })
      if (transaction.mode === 'readwrite') onCommit()
    }
    // Only what was written takes time to be written.
    const wait = transaction.mode === 'readonly' ? 0 : delay()
    scheduler.after(wait, undefined, { label: `idb commit ${transaction.durability}`, run })
  }

  function finish(transaction: SimTransaction): void {
    transaction.state = 'finished'
    running = running.filter((other) => other !== transaction)
    advance()
  }

  function open(): SimRequest {
    const request = new SimRequest()
    const context = scheduler.current
    const run = (): void => {
      if (trouble === 'slow') return void waiting.push({ context, run })
      if (trouble === 'dead') return refuse(request)
      const database = new SimDatabase(engine, context)
      connections.push(database)
      request.result = database
      // The engine has its tables by itself; `upgradeneeded` is for the real code to run.
      if (disk.tables.size === 0) {
        request.dispatch('upgradeneeded', { oldVersion: 0, newVersion: 1 })
        disk.commit([['mirror', 'made', undefined]], 'relaxed')
      }
      request.dispatch('success')
    }
    scheduler.after(delay(), context, { label: 'idb open', run })
    return request
  }

  function refuse(request: SimRequest): void {
    request.error = new DOMException('made to fail', 'UnknownError')
    request.dispatch('error')
  }

  function deleteDatabase(): SimRequest {
    const request = new SimRequest()
    const context = scheduler.current
    const run = (): void => {
      if (trouble === 'dead') return refuse(request)
      const living = connections.filter(({ isClosed, context: of }) => !isClosed && of?.isAlive !== false)
      connections = living
      // Each hears of it in a task of its own page.
      for (const database of living) {
        const hear = (): void => database.dispatch('versionchange')
        scheduler.after(0, database.context, { label: 'idb versionchange', run: hear })
      }
      // What was begun ends first.
      if (living.length > 0 || running.length > 0)
        return void scheduler.after(2, context, { label: 'idb delete', run })
      disk.wipe()
      request.dispatch('success')
    }
    scheduler.after(delay(), context, { label: 'idb delete', run })
    return request
  }

  return {
    open,
    deleteDatabase,
    get trouble() {
      return trouble
    },
    set trouble(next) {
      trouble = next
      const late = waiting
      waiting = []
      for (const { context, run } of late) scheduler.after(delay(), context, { label: 'idb late', run })
    },
    kill(context) {
      for (const transaction of running) {
        if (transaction.database.context !== context) continue
        const isUnderWay = transaction.state === 'committing' || transaction.isToldToCommit
        if (!isUnderWay || chance.of(0.5)) finish(transaction)
        // Its page takes no further step: what it has told to commit commits without.
        else if (transaction.state === 'active') close(transaction)
      }
    },
    cutPower() {
      for (const transaction of running) transaction.state = 'finished'
      running = []
    },
  }
}

function isInTheWay(earlier: SimTransaction, later: SimTransaction): boolean {
  if (earlier.mode === 'readonly' && later.mode === 'readonly') return false
  return earlier.objectStoreNames.some((name) => later.objectStoreNames.includes(name))
}
