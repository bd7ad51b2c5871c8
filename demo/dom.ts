// Helps with the page's elements: finds them, makes them, and changes only what differs, so that nothing flickers or loses
// its focus.

export function find<T extends Element>(selector: string, type: abstract new (...args: never) => T): T {
  const element = document.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`The page has no ${selector}.`)
}

type Child = Node | string | null
type Attributes = Readonly<Record<string, string | boolean | ((event: Event) => void)>>

/** Makes an element with attributes. A function becomes a listener: `onclick` listens to `click`. */
export function make<N extends keyof HTMLElementTagNameMap>(
  name: N,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[N] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key.slice(2), value)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== false) element.setAttribute(key, value)
  }
  element.append(...children.filter((child) => child !== null))
  return element
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
