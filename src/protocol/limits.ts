// Every limit of the protocol, once, with its unit and its reason. Both sides read them from here.

export const limits = {
  /** Levels of nesting in a value or a body. Deeper data is a mistake or an attack on recursive code. */
  depth: 32,
  /** Levels of nesting in one value: it travels inside a batch, at most four levels deep. */
  valueDepth: 28,
  /** Characters in the name of a key. Names travel with every patch. */
  keyLength: 64,
  /** Keys in one session: a session is a dictionary, not a database. */
  keys: 256,
  /** Bytes of one record as JSON. A quarter of Memcached's default item size of 1 MiB. */
  recordBytes: 262_144,
  /** Bytes of one request body: a batch may carry a whole record, and its own wrapping. */
  bodyBytes: 327_680,
  /** Mutations in one batch. A longer outbox is sent in several batches, in order. */
  batchMutations: 200,
  /** Bytes of one sealed batch, below `bodyBytes` with room for the envelope and for escaping quotes. */
  batchBytes: 131_072,
  /** Bytes of mutations one browser keeps for later. More than this is refused at `set`, not lost later. */
  outboxBytes: 1_048_576,
  /** Browsers remembered for exactly-once. A profile is one client as long as its IndexedDB lives. */
  clients: 8,
  /** Seconds for which a client is never dropped from a full table: longer than any request lives. */
  clientBusySeconds: 300,
  /** Event streams of one session in one process. One tab of a browser holds one for all. */
  streams: 8,
  /** Sessions remembered of one owner. One more ends the one that was longest unused. */
  ownerSessions: 100,
  /** Characters of the label that an app gives to a session. */
  labelLength: 200,
  /** Removal marks kept for patches; a browser that is further behind gets the whole mirror. */
  removedMarks: 64,
  /** Seconds that a sleeping outbox of another owner is kept: a week, as long as Safari keeps our storage. */
  parkedSeconds: 604_800,
} as const

/**
 * Bytes of a `fetch` with `keepalive`: the Fetch standard allows 64 KiB in flight for one page. Not among the
 * others, so that the worker's script need not carry them.
 */
export const keepaliveBytes = 60_000
