// Lists the sessions of the user on all devices, and ends them. Only the server has the list: the page asks for it when
// somebody signs in, when the page becomes visible again, and after every change.
import { find, make } from '../dom.ts'
import { callApi, session } from '../session.ts'
import { tell } from './banner.ts'

interface Device {
  readonly id: string
  readonly label: string | null
  readonly signedIn: string
  readonly lastUsed: string
  readonly isHere: boolean
}

/** Long enough for a store that was busy to be there again. */
const retryMilliseconds = 2000

const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export function showDevices(): void {
  const card = find('#devices-card', HTMLElement)
  const place = find('#devices', HTMLElement)

  async function show(): Promise<void> {
    card.hidden = session.owner === null
    if (session.owner === null) return place.replaceChildren()
    try {
      const { sessions } = (await callApi('GET', '/api/sessions')) as {
        sessions: readonly Device[]
      }
      place.replaceChildren(...viewOf(sessions))
    } catch {
      place.replaceChildren(make('p', { class: 'hint' }, 'The list is shown when the server can be reached.'))
      // Asked again while the server answers others, or as soon as it does.
      const again = (): void => void (session.status.state === 'live' && show())
      setTimeout(again, retryMilliseconds)
      const stop = session.on('status', () => {
        stop()
        again()
      })
    }
  }

  function viewOf(devices: readonly Device[]): HTMLElement[] {
    const list = make('ul', { class: 'devices' }, ...devices.map(rowOf))
    const others = make(
      'button',
      {
        type: 'button',
        id: 'end-others',
        onclick: () => void end('Every other session was ended.'),
      },
      'Sign out everywhere else',
    )
    return devices.length > 1 ? [list, others] : [list]
  }

  function rowOf({ id, label, signedIn, lastUsed, isHere }: Device): HTMLElement {
    const times = `signed in ${time.format(new Date(signedIn))}, used ${time.format(new Date(lastUsed))}`
    const row = make(
      'li',
      {},
      make('span', {}, make('b', {}, label ?? 'A browser'), make('small', {}, times)),
      isHere
        ? make('em', {}, 'this browser')
        : make('button', { type: 'button', onclick: () => void end('That session was ended.', id) }, 'End'),
    )
    return row
  }

  async function end(words: string, id?: string): Promise<void> {
    try {
      await callApi('POST', '/api/sessions/end', id === undefined ? {} : { id })
      tell(words)
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error), 'warning')
    }
    await show()
  }

  session.on('owner', () => void show())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void show()
  })
  void session.ready.then(show)
}
