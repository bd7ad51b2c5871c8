// Every limit of the protocol, once, with its unit in the name and its reason. docs/protocol.md has the same table, and a
// test compares the two. Import it as `import * as limits`, so that a bundle carries only the limits that it reads.

/** Levels of nesting in a body. Deeper data is a mistake, or an attack on recursive code. */
export const bodyDepthLevels = 32
/** Levels of nesting in one value. A value travels inside a batch, which is four levels deep. */
export const valueDepthLevels = 28
/** Keys in one session. A session is a dictionary, not a database. */
export const sessionKeys = 256
/** Characters in the name of a key. Names travel with every patch. */
export const keyNameCharacters = 64
/** Bytes of one record as JSON: a quarter of Memcached's default item size of 1 MiB. */
export const recordBytes = 262_144
/** Bytes of one request body: a batch may be as large as a record, and needs its wrapping. */
export const bodyBytes = 327_680
/** Seconds within which a whole body must arrive. A slower sender holds a connection hostage. */
export const bodySeconds = 10
/** Mutations in one batch. A longer outbox is sent in several batches, in order. */
export const batchMutations = 200
/** Bytes of one sealed batch: below `bodyBytes`, with room for the envelope and for escaped quotes. */
export const batchBytes = 131_072
/** Bytes of one change as it is sent, alone in its batch: the body without its wrapping. Any value that a record may hold goes out. */
export const changeBytes = 311_296
/** Characters of a validator's message that are kept with the record. */
export const validatorMessageCharacters = 200
/** Bytes of all validator messages of one batch, because each browser may have such a batch. Later messages are empty. */
export const validatorMessagesBytes = 8192
/** Bytes of unsent changes that one browser keeps. More is refused at `set`, not lost later. */
export const outboxBytes = 1_048_576
/** Browsers remembered for exactly-once. A profile is one browser for as long as its storage lives. */
export const rememberedBrowsers = 8
/** Seconds within which a browser that was heard from is not dropped: longer than any request runs. */
export const browserBusySeconds = 300
/** Cookies of our name that are looked at. A browser sends one; an attacker on a sibling domain may add some. */
export const candidateCookies = 16
/** Seconds after which a browser that comes with a cookie has it on its disk, too: Chromium writes every 30. */
export const keptSeconds = 60
/** Ids that a session is followed through: at one rotation an hour, more than its pointers live. */
export const followedIds = 64
/** Removal marks kept for patches. A browser that is further behind gets the whole mirror. */
export const removalMarks = 64
/** Sessions in one owner's list. One more ends the session that was unused for longest. */
export const ownerSessions = 100
/** Seconds after which a session that was entered in its owner's list, and is not in the store, never began. */
export const beginSeconds = 60
/** Characters of the label that an app gives to a session. People read it. */
export const labelCharacters = 200
/** Characters of an owner's id. */
export const ownerCharacters = 256
/** Event streams of one session in one process. One tab of a browser holds the stream for all. */
export const sessionStreams = 8
/** Characters of the copy for the first paint. Reading more would cost what the copy should save. */
export const bootCopyCharacters = 32_768
/** Seconds that unsent changes of an owner who left are kept: as long as Safari keeps the storage of an unvisited site. */
export const parkedSeconds = 604_800
/** Tries of one commit against other processes, before 503 `contention`. Nothing is changed then. */
export const commitAttempts = 20
/** Batches that merge, committed at once: a merge of a large value takes 30 ms, in which nobody else is answered. */
export const mergingWriters = 4
/** Bytes of a request with `keepalive`. The Fetch standard allows 64 KiB in flight for one page. */
export const keepaliveBytes = 60_000
