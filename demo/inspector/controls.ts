// The buttons that make something go wrong, so that you can watch the session recover.
import { make, setText } from '../dom.ts'
import { goOffline, isOffline, onOffline, pageFetch } from '../session.ts'
import { tell } from '../shop/banner.ts'
import { note } from './timeline.ts'

export function controls(): HTMLElement {
  return make(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'Make something happen' },
    offlineButton(),
    make(
      'button',
      {
        type: 'button',
        id: 'expire',
        onclick: () => void stage('/demo/expire', 'The cookie goes stale in a second. Then do something.'),
      },
      'Expire the cookie',
    ),
    workerButton(),
    make(
      'button',
      {
        type: 'button',
        id: 'restart-store',
        onclick: () => void stage('/demo/restart-store', 'The store was restarted: it remembers nothing.'),
      },
      'Restart the store',
    ),
    make(
      'button',
      {
        type: 'button',
        id: 'second-tab',
        onclick: () => void window.open(location.href, '_blank', 'noopener'),
      },
      'Open a second tab',
    ),
  )
}

function offlineButton(): HTMLElement {
  const button = make(
    'button',
    {
      type: 'button',
      id: 'offline',
      'aria-pressed': String(isOffline()),
      title: 'Cuts this browser’s requests, the worker’s too. A reloaded page is still offline.',
      onclick: () => goOffline(!isOffline()),
    },
    isOffline() ? 'Go online' : 'Go offline',
  )
  onOffline((offline) => {
    button.setAttribute('aria-pressed', String(offline))
    setText(button, offline ? 'Go online' : 'Go offline')
    note('network', offline ? 'cut' : 'back')
  })
  return button
}

function workerButton(): HTMLElement {
  const button = make(
    'button',
    { type: 'button', id: 'end-worker', onclick: () => void toggle() },
    'End the worker',
  )
  let isEnded = false

  async function toggle(): Promise<void> {
    if (isEnded) {
      const { active } = await navigator.serviceWorker.register(
        `/session-worker.js?${new URLSearchParams({ session: '/session', api: '/api/' })}`,
        { updateViaCache: 'none' },
      )
      active?.postMessage({ type: 'claim' })
      note('worker', 'registered again')
    } else {
      navigator.serviceWorker.controller?.postMessage({ type: 'retire' })
      note('worker', 'ended by its kill switch')
      tell('The worker has stopped. The page now does its work, with the same code.')
    }
    isEnded = !isEnded
    setText(button, isEnded ? 'Start the worker' : 'End the worker')
  }
  return button
}

async function stage(path: string, done: string): Promise<void> {
  const started = performance.now()
  try {
    const response = await pageFetch(path, { method: 'POST' })
    note(path, String(response.status), performance.now() - started)
    if (response.ok) tell(done)
    else
      tell(
        response.status === 401
          ? 'There is no session yet: change something first.'
          : `The demo’s server answered ${response.status}.`,
        'warning',
      )
  } catch {
    tell('This needs the network, and there is none.', 'warning')
  }
}
