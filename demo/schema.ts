// The shop's session: what the server keeps for one browser, and what that browser may do with each key.
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'

/** Quantities by product id. */
export type Cart = Readonly<Record<string, number>>

export const schema = defineSession({
  /** Who is signed in. Only the server may write it; the page shows it. */
  user: readable<string>(),
  /** A stamp for every order: loyalty is decided on the server, too. */
  stamps: readable<number>({ default: 0 }),
  theme: writable<'system' | 'light' | 'dark'>({ default: 'system' }),
  /** Two tabs may fill the cart at once, even offline: each product's last quantity stays. */
  cart: writable<Cart>({ default: {}, policy: { merge: mergeCarts } }),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
  /** Never leaves the server: look for it in the browser, it is not there. */
  lastOrder: hidden<{ readonly at: string; readonly items: Cart }>(),
})
export type ShopSchema = typeof schema

function mergeCarts(base: Cart | undefined, mine: Cart, theirs: Cart | undefined): Cart {
  const result: Record<string, number> = { ...theirs }
  for (const id of new Set([...Object.keys(base ?? {}), ...Object.keys(mine)])) {
    // Only what I changed since we last agreed; the rest is theirs.
    if (mine[id] === base?.[id]) continue
    if (mine[id] === undefined) delete result[id]
    else result[id] = mine[id]
  }
  return result
}
