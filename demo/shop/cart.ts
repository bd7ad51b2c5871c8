// The shelf and the cart. A change is visible at once in every tab, with or without a network.
import { type Product, priceOf, products } from '../catalogue.ts'
import { find, make, setText } from '../dom.ts'
import { callApi, session } from '../session.ts'
import { tell } from './banner.ts'

export function showShelf(): void {
  find('#products', HTMLElement).append(
    ...products.map((product) => {
      const picture = make('div', { class: 'picture' })
      picture.innerHTML = product.picture // Our own drawing, from catalogue.ts.
      const add = make(
        'button',
        {
          type: 'button',
          'aria-label': `Add ${product.name} to the cart`,
          onclick: () => change(product.id, 1),
        },
        'Add',
      )
      const words = make('div', { class: 'words' }, make('h3', {}, product.name), make('p', {}, product.line))
      return make(
        'li',
        {},
        picture,
        words,
        make('div', { class: 'buy' }, make('span', {}, priceOf(product.price)), add),
      )
    }),
  )
}

export function showCart(): void {
  const place = find('#cart', HTMLElement)
  const empty = make('p', { class: 'hint' }, 'Nothing yet. Add something, also offline.')
  const list = make('ul', { class: 'lines' })
  const total = make('strong', {})
  const order = make(
    'button',
    { type: 'button', class: 'primary', id: 'order', onclick: () => void placeOrder() },
    'Order',
  )
  const foot = make('div', { class: 'foot' }, make('span', {}, 'Total ', total), order)
  place.append(empty, list, foot)
  const lines = new Map(products.map((product) => [product.id, line(product)]))

  function show(): void {
    const cart = session.get('cart')
    for (const product of products) {
      const quantity = cart[product.id] ?? 0
      const shown = lines.get(product.id)
      if (shown === undefined) continue
      setText(shown.count, String(quantity))
      if (quantity > 0 && !shown.row.isConnected) list.append(shown.row)
      if (quantity === 0) shown.row.remove()
    }
    const sum = products.reduce((cents, product) => cents + product.price * (cart[product.id] ?? 0), 0)
    empty.hidden = sum > 0
    foot.hidden = sum === 0
    setText(total, priceOf(sum))
  }
  session.subscribe('cart', show)
  void session.ready.then(show)
}

function line(product: Product): { row: HTMLLIElement; count: HTMLElement } {
  const count = make('output', { 'aria-label': `Quantity of ${product.name}` })
  const less = make(
    'button',
    {
      type: 'button',
      class: 'step',
      'aria-label': `One ${product.name} less`,
      onclick: () => change(product.id, -1),
    },
    '−',
  )
  const more = make(
    'button',
    {
      type: 'button',
      class: 'step',
      'aria-label': `One ${product.name} more`,
      onclick: () => change(product.id, 1),
    },
    '+',
  )
  return {
    row: make('li', {}, make('span', {}, product.name), make('span', { class: 'steps' }, less, count, more)),
    count,
  }
}

function change(id: string, by: number): void {
  session.update('cart', (cart) => {
    const { [id]: quantity = 0, ...others } = cart
    return quantity + by > 0 ? { ...others, [id]: quantity + by } : others
  })
}

async function placeOrder(): Promise<void> {
  try {
    // Sends the cart first, because the server orders what it has.
    await session.flush()
    await callApi('POST', '/api/order')
    await session.pull()
    tell(`Ordered. Your stamps, which only the server may write: ${session.get('stamps')}.`)
  } catch (error) {
    tell(String(error instanceof Error ? error.message : error), 'warning')
  }
}
