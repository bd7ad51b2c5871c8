// First in, first out, without moving what waits behind.

export interface Queue<Item> {
  readonly size: number
  push(item: Item): void
  peek(): Item | undefined
  shift(): Item | undefined
  /** All of them, oldest first; it is empty then. */
  drain(): Item[]
}

/** Taken slots are given back once there are this many. */
const slack = 1024

export function createQueue<Item>(): Queue<Item> {
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
      if (taken === items.length || taken > slack) {
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
