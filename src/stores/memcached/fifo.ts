// A list that is filled at its end and emptied at its beginning: the operations that wait on one connection. It
// never moves what waits, because thousands may.

/** First in, first out. */
export interface Fifo<Item> {
  /** How many items wait. */
  readonly size: number
  /** Adds an item behind all others. */
  push(item: Item): void
  /** The oldest item, which stays; undefined when there is none. */
  peek(): Item | undefined
  /** Removes the oldest item and gives it; undefined when there is none. */
  shift(): Item | undefined
  /** Removes all items and gives them, oldest first. */
  drain(): Item[]
}

/** Slots that were emptied are given back once there are this many: giving back copies what is left. */
const maxEmptySlots = 1024

/** Creates an empty list. */
export function createFifo<Item>(): Fifo<Item> {
  let items: (Item | undefined)[] = []
  let taken = 0
  return {
    get size() {
      return items.length - taken
    },
    push(item) {
      items.push(item)
    },
    peek: () => items[taken],
    shift() {
      const item = items[taken]
      if (item === undefined) return undefined
      items[taken++] = undefined
      if (taken === items.length || taken > maxEmptySlots) {
        items = items.slice(taken)
        taken = 0
      }
      return item
    },
    drain() {
      const rest = items.slice(taken).filter((item) => item !== undefined)
      items = []
      taken = 0
      return rest
    },
  }
}
