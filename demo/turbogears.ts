// Both pages of the TurboGears example: one sets a value on the server, the other reads it from the mirror and from the
// server.
import { find, setText } from './dom.ts'
import { showInspector } from './inspector/inspector.ts'
import { callApi, session } from './session.ts'
import { showAccount } from './shop/account.ts'
import { watchStatus } from './shop/status.ts'

const started = performance.now()
showAccount()
watchStatus()
showInspector()
if (find('main', HTMLElement).dataset['page'] === 'write') showWriting()
else await showReading()

function showWriting(): void {
  const result = find('#tg-result', HTMLElement)
  const field = find('#tg-user', HTMLInputElement)
  async function say(work: Promise<unknown>, done: () => string): Promise<void> {
    try {
      await work
      setText(result, done())
    } catch (error) {
      setText(result, error instanceof Error ? error.message : String(error))
    }
  }
  find('#tg-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    void say(
      callApi('POST', '/api/turbogears', { user: field.value }),
      () => `Saved: session['user'] is '${field.value}'.`,
    )
  })
  find('#tg-delete', HTMLElement).addEventListener('click', () => {
    void say(callApi('DELETE', '/api/turbogears'), () => 'Deleted: session has no user now.')
  })
}

async function showReading(): Promise<void> {
  const show = (): void => setText(find('#tg-mirror', HTMLElement), session.get('user') ?? '(not set)')
  session.subscribe('user', show)
  await session.ready
  show()
  setText(
    find('#tg-mirror-time', HTMLElement),
    `${(performance.now() - started).toFixed(1)} ms after the page’s script began, from IndexedDB`,
  )
  const asked = performance.now()
  try {
    const answer = await callApi('GET', '/api/turbogears')
    const user = typeof answer === 'object' && answer !== null && 'user' in answer ? answer.user : null
    setText(find('#tg-server', HTMLElement), typeof user === 'string' ? user : '(not set)')
    setText(
      find('#tg-server-time', HTMLElement),
      `${(performance.now() - asked).toFixed(1)} ms for the request`,
    )
  } catch (error) {
    setText(find('#tg-server', HTMLElement), '—')
    setText(find('#tg-server-time', HTMLElement), error instanceof Error ? error.message : String(error))
  }
}
