// What a browser profile has on disk, and what of that survives a power cut: everything up to the last strict
// transaction, and of the relaxed ones after it a beginning.
import type { Chance } from './chance.ts'
import { copy } from './copy.ts'

export type Tables = Map<string, Map<string, unknown>>
/** Undefined deletes. */
export type Writes = readonly (readonly [table: string, key: string, value: unknown])[]
export type Durability = 'default' | 'relaxed' | 'strict'

export interface Disk {
  readonly tables: Tables
  commit(writes: Writes, durability: Durability): void
  /** Returns how many transactions were lost. */
  cutPower(chance: Chance): number
  wipe(): void
  copy(): Disk
}

export interface DiskOptions {
  /** Breaks the rule that a strict transaction is on disk when it says so. */
  readonly isStrictIgnored?: boolean
}

export function createDisk(options: DiskOptions = {}, initial: Tables = emptyTables()): Disk {
  let tables = initial
  let durable = copyTables(initial)
  let relaxed: Writes[] = []

  return {
    get tables() {
      return tables
    },
    commit(writes, durability) {
      apply(tables, writes)
      relaxed.push(writes)
      if (durability !== 'strict' || options.isStrictIgnored === true) return
      for (const earlier of relaxed) apply(durable, earlier)
      relaxed = []
    },
    cutPower(chance) {
      const kept = chance.whole(0, relaxed.length)
      const lost = relaxed.length - kept
      for (const writes of relaxed.slice(0, kept)) apply(durable, writes)
      relaxed = []
      tables = copyTables(durable)
      return lost
    },
    wipe() {
      tables = emptyTables()
      durable = emptyTables()
      relaxed = []
    },
    copy: () =>
      createDisk(options, new Map([...tables].map(([name, table]) => [name, new Map(copy([...table]))]))),
  }
}

function emptyTables(): Tables {
  return new Map()
}

/** Values are replaced, never changed. */
function copyTables(tables: Tables): Tables {
  return new Map([...tables].map(([name, table]) => [name, new Map(table)]))
}

function apply(tables: Tables, writes: Writes): void {
  for (const [name, key, value] of writes) {
    const table = tables.get(name) ?? new Map<string, unknown>()
    tables.set(name, table)
    if (value === undefined) table.delete(key)
    else table.set(key, value)
  }
}
