// The note. It is kept while it is typed, also offline, and is the same in every tab.
import { find, setText } from '../dom.ts'
import { isOffline, session } from '../session.ts'

export function showNote(): void {
  const field = find('#note', HTMLTextAreaElement)
  const state = find('#note-state', HTMLElement)

  field.addEventListener('input', () => {
    const write = session.set('note', field.value)
    void write.stored.then((where) => {
      setText(
        state,
        where === 'disk'
          ? 'Kept in this browser; not sent yet.'
          : 'Kept in this tab only: storage is not available.',
      )
    })
    void write.acknowledged.then(({ code }) => {
      if (code === 'ok') setText(state, 'Kept on the server.')
      else if (code !== 'superseded') setText(state, `Not taken: ${code}.`)
    })
  })

  const show = (): void => {
    const note = session.get('note')
    if (field.value !== note) field.value = note
    if (isOffline() && session.pending > 0)
      setText(state, 'Kept in this browser. It is sent when the network is back.')
  }
  session.subscribe('note', show)
  void session.ready.then(show)
}
