// The shop's session: what the server keeps for one browser, and what that browser may do with each key.
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'

/** Quantities by product id. */
export type Cart = Readonly<Record<string, number>>

export const schema = defineSession({
  /** Who is signed in. Only the server may write it; the page shows it. */
  user: readable<string>(),
  /** One stamp for each order. Only the server may add one. */
  stamps: readable<number>({ default: 0 }),
  theme: writable<'system' | 'light' | 'dark'>({ default: 'system' }),
  /** Two tabs may fill the cart at once, even offline. For each product the last quantity is kept. */
  cart: writable<Cart>({ default: {}, policy: { merge: mergeCarts } }),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
  /** Never leaves the server. You will not find it in the browser. */
  lastOrder: hidden<{ readonly at: string; readonly items: Cart }>(),
})
export type ShopSchema = typeof schema

function mergeCarts(base: Cart | undefined, mine: Cart, theirs: Cart | undefined): Cart {
  const result: Record<string, number> = { ...theirs }
  for (const id of new Set([...Object.keys(base ?? {}), ...Object.keys(mine)])) {
    // Takes the quantities that this browser changed since its last answer, and the server's for the rest.
    if (mine[id] === base?.[id]) continue
    if (mine[id] === undefined) delete result[id]
    else result[id] = mine[id]
  }
  return result
}
