// Lists what happened, newest first, and how long it took.
import { make } from '../dom.ts'
import { session } from '../session.ts'

/** How many lines are kept. */
const kept = 40

let list: HTMLOListElement | undefined

export function startTimeline(): HTMLElement {
  list = make('ol', { class: 'timeline', tabindex: '0', 'aria-label': 'Timeline, newest first' })
  session.on('exchange', ({ route, outcome, milliseconds }) => note(route, outcome, milliseconds))
  session.on('status', (status) =>
    note('status', 'reason' in status ? `${status.state}: ${status.reason}` : status.state),
  )
  session.on('owner', ({ owner }) => note('owner', owner ?? 'nobody'))
  session.on('conflict', ({ key }) => note('conflict', key))
  session.on('refused', ({ mutation, outcome }) => note('refused', `${mutation.key}: ${outcome.code}`))
  session.on('parked', ({ count }) => note('parked', `${count} outbox${count === 1 ? '' : 'es'}`))
  session.on('durability', (durability) => note('durability', durability))
  session.subscribe((keys) => note('changed', keys.join(', ')))
  return make('section', { class: 'panel open', 'aria-label': 'Timeline' }, make('h3', {}, 'Timeline'), list)
}

export function note(what: string, how: string, milliseconds?: number): void {
  const time = new Date().toLocaleTimeString(undefined, { hour12: false })
  const took = milliseconds === undefined ? '' : `${milliseconds.toFixed(1)} ms`
  list?.prepend(
    make(
      'li',
      {},
      make('time', {}, time),
      make('span', { class: 'what' }, what),
      make('span', { class: 'how' }, how),
      make('span', { class: 'took' }, took),
    ),
  )
  list?.children.item(kept)?.remove()
}
