// Shows the state in one line: a word, a colour, and how many changes are unsent.
import { make, setText } from '../dom.ts'
import { session } from '../session.ts'

export function statusLine(): HTMLElement {
  const state = make('span', { class: 'pill' })
  const facts = make('span', { class: 'hint' })
  function show(): void {
    const { status } = session
    state.dataset['state'] = status.state
    setText(state, 'reason' in status ? `${status.state}: ${status.reason}` : status.state)
    const kept = session.durability === 'disk' ? 'kept on disk' : 'in memory only'
    setText(facts, `${session.owner ?? 'anonymous'} · ${session.pending} unsent · ${kept}`)
  }
  session.subscribe(show)
  for (const name of ['status', 'owner', 'durability'] as const) session.on(name, show)
  // The event comes with the answer. The changes that the answer settles are settled a moment later.
  session.on('exchange', () => setTimeout(show, 100))
  void session.ready.then(show)
  return make('div', { class: 'state' }, state, facts)
}
