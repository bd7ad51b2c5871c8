// The objects of IndexedDB, as far as this project and the package idb use them. Their classes live as long as the
// process, because idb remembers them; what they do is in `idb-engine.ts`.
import type { Context } from './scheduler.ts'
import type { Durability, Writes } from './disk.ts'

type Listener = (event: { readonly target: unknown }) => void

class Target {
  readonly listeners = new Map<string, Set<Listener>>()
  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(listener))
  }
  removeEventListener(type: string, listener: Listener): void {
    this.listeners.get(type)?.delete(listener)
  }
  dispatch(type: string, extra: object = {}): void {
    for (const listener of new Set(this.listeners.get(type))) listener({ target: this, ...extra })
  }
}

export class SimRequest extends Target {
  result: unknown = undefined
  error: DOMException | null = null
  transaction: SimTransaction | null = null
}

export interface Engine {
  begin(transaction: SimTransaction): void
  commit(transaction: SimTransaction): void
  /** The rows of a table as the transaction sees them, with its own writes. */
  read(transaction: SimTransaction, name: string): ReadonlyMap<string, unknown>
  abort(transaction: SimTransaction): void
  createTable(name: string): void
  /** Whether a connection still works: a sick disk takes it away. */
  readonly isDead: boolean
  tables(): readonly string[]
}

export class SimDatabase extends Target {
  isClosed = false
  /** No event of this connection may come before the one before it. */
  nextAt = 0
  readonly engine: Engine
  readonly context: Context | undefined
  constructor(engine: Engine, context: Context | undefined) {
    super()
    this.engine = engine
    this.context = context
  }
  transaction(
    names: string | readonly string[],
    mode: 'readonly' | 'readwrite' = 'readonly',
    { durability = 'default' }: { durability?: Durability } = {},
  ): SimTransaction {
    if (this.isClosed || this.engine.isDead)
      throw new DOMException('The connection is closed.', 'InvalidStateError')
    const list = typeof names === 'string' ? [names] : [...names]
    const transaction = new SimTransaction(this, { names: list, mode, durability })
    this.engine.begin(transaction)
    return transaction
  }
  get objectStoreNames(): readonly string[] {
    return this.engine.tables()
  }
  createObjectStore(name: string): void {
    this.engine.createTable(name)
  }
  close(): void {
    this.isClosed = true
  }
}

export interface Command {
  readonly request: SimRequest
  readonly run: () => unknown
}

interface TransactionOptions {
  readonly names: readonly string[]
  readonly mode: 'readonly' | 'readwrite'
  readonly durability: Durability
}

export class SimTransaction extends Target {
  readonly database: SimDatabase
  readonly objectStoreNames: readonly string[]
  readonly mode: 'readonly' | 'readwrite'
  readonly durability: Durability
  error: DOMException | null = null
  /** `active` until it commits by itself or is told to; `committing` needs its page no more. */
  state: 'waiting' | 'active' | 'committing' | 'finished' = 'waiting'
  isToldToCommit = false
  commands: Command[] = []
  writes: Writes[number][] = []
  constructor(database: SimDatabase, { names, mode, durability }: TransactionOptions) {
    super()
    this.database = database
    this.objectStoreNames = names
    this.mode = mode
    this.durability = durability
  }
  objectStore(name: string): SimObjectStore {
    return new SimObjectStore(this, name)
  }
  commit(): void {
    this.database.engine.commit(this)
  }
  abort(): void {
    this.database.engine.abort(this)
  }
}

export class SimObjectStore {
  readonly transaction: SimTransaction
  readonly name: string
  constructor(transaction: SimTransaction, name: string) {
    this.transaction = transaction
    this.name = name
  }
  get(key: string): SimRequest {
    return this.#ask(() => this.#rows().get(key))
  }
  getAll(range: SimKeyRange): SimRequest {
    return this.#ask(() =>
      [...this.#rows()]
        .filter(([key]) => range.has(key))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, value]) => value),
    )
  }
  put(value: unknown, key: string): SimRequest {
    return this.#write(key, value)
  }
  delete(key: string): SimRequest {
    return this.#write(key, undefined)
  }
  #rows(): ReadonlyMap<string, unknown> {
    return this.transaction.database.engine.read(this.transaction, this.name)
  }
  #write(key: string, value: unknown): SimRequest {
    if (this.transaction.mode !== 'readwrite') throw new DOMException('Read only.', 'ReadOnlyError')
    return this.#ask(() => void this.transaction.writes.push([this.name, key, value]))
  }
  #ask(run: () => unknown): SimRequest {
    const { transaction } = this
    if (transaction.isToldToCommit || transaction.state === 'committing' || transaction.state === 'finished')
      throw new DOMException('The transaction is not active.', 'TransactionInactiveError')
    const request = new SimRequest()
    transaction.commands.push({ request, run })
    return request
  }
}

export class SimKeyRange {
  readonly lower: string
  readonly upper: string
  constructor(lower: string, upper: string) {
    this.lower = lower
    this.upper = upper
  }
  static bound(lower: string, upper: string): SimKeyRange {
    return new SimKeyRange(lower, upper)
  }
  has(key: string): boolean {
    return key >= this.lower && key <= this.upper
  }
}

/** Never made here: idb asks for them by name. */
export class SimIndex {}
export class SimCursor {
  advance(): void {}
  continue(): void {}
  continuePrimaryKey(): void {}
}
